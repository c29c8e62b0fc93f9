// Drives Lago's own JavaScript client against FUSION_BASE and prints what it got, as JSON.
// A refusal is what the client throws, read with its own getLagoError.
import { Client, getLagoError } from "lago-javascript-client";

const { FUSION_BASE, FUSION_KEY, SUBSCRIPTION, STARTS_AT, TAG } = process.env;
const lago = Client(FUSION_KEY, { baseUrl: FUSION_BASE });
const stranger = Client("fb_nobody_x", { baseUrl: FUSION_BASE });
const timestamp = Number(STARTS_AT);
const event = (number, properties) => ({
  transaction_id: `${TAG}-${number}`,
  external_subscription_id: SUBSCRIPTION,
  code: "messages",
  timestamp,
  properties,
});

const got = async (call) => (await call).data;
const refused = async (call) => {
  try {
    await call;
  } catch (error) {
    return getLagoError(error);
  }
  throw new Error("was not refused");
};

const subscription = { external_subscription_id: SUBSCRIPTION };
const asked = { external_customer_id: `${TAG}-customer`, external_id: `${TAG}-asked` };
const found = {
  customer: await got(
    lago.customers.createCustomer({
      customer: { external_id: asked.external_customer_id, name: "Maple", country: "CA" },
    }),
  ),
  customerFound: await got(lago.customers.findCustomer(asked.external_customer_id)),
  customers: await got(lago.customers.findAllCustomers({ per_page: 1 })),
  subscription: await got(
    lago.subscriptions.createSubscription({ subscription: { ...asked, plan_code: "desk_team" } }),
  ),
  subscriptionFound: await got(lago.subscriptions.findSubscription(asked.external_id)),
  subscriptions: await got(
    lago.subscriptions.findAllSubscriptions({
      external_customer_id: asked.external_customer_id,
      "status[]": ["active", "pending"],
    }),
  ),
  terminated: await got(lago.subscriptions.destroySubscription(asked.external_id)),
  terminatedFound: await got(
    lago.subscriptions.findSubscription(asked.external_id, { status: "terminated" }),
  ),
  created: await got(lago.events.createEvent({ event: event(1, { count: 1200 }) })),
  again: await got(lago.events.createEvent({ event: event(1, { count: 1200 }) })),
  batch: await got(
    lago.events.createBatchEvents({ events: [event(2, { count: "300" }), event(3, { count: 0.5 })] }),
  ),
  event: await got(lago.events.findEvent(`${TAG}-2`)),
  events: await got(lago.events.findAllEvents({ ...subscription, per_page: 2 })),
  usage: await got(lago.customers.findCustomerCurrentUsage("maple", subscription)),
  past: await got(
    lago.customers.findAllCustomerPastUsage("maple", {
      external_subscription_id: "billed",
      periods_count: 1,
    }),
  ),
  metrics: await got(lago.billableMetrics.findAllBillableMetrics({ per_page: 2 })),
  metric: await got(lago.billableMetrics.findBillableMetric("agents")),
  plans: await got(lago.plans.findAllPlans()),
  plan: await got(lago.plans.findPlan("desk_team")),
};
const errors = {
  gone: await refused(lago.subscriptions.findSubscription(asked.external_id)),
  nobody: await refused(lago.customers.findCustomer("nobody at all")),
  asked: await refused(
    lago.subscriptions.createSubscription({ subscription: { external_id: "x", plan_code: "" } }),
  ),
  conflict: await refused(lago.events.createEvent({ event: event(1, { count: 7 }) })),
  batch: await refused(
    lago.events.createBatchEvents({ events: [event(4, {}), { ...event(5, {}), code: "" }] }),
  ),
  event: await refused(lago.events.findEvent("nobody")),
  customer: await refused(lago.customers.findCustomerCurrentUsage("stranger", subscription)),
  subscription: await refused(
    lago.customers.findCustomerCurrentUsage("maple", { external_subscription_id: "NOPE" }),
  ),
  past: await refused(
    lago.customers.findAllCustomerPastUsage("maple", { external_subscription_id: "" }),
  ),
  metric: await refused(lago.billableMetrics.findBillableMetric("nobody")),
  plan: await refused(lago.plans.findPlan("nobody")),
  key: await refused(stranger.plans.findAllPlans()),
};
console.log(JSON.stringify({ found, errors }));
