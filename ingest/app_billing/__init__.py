"""What the apps billed themselves: exports of Lago and Stripe into raw.app_billing_line."""
