"""GET /customers/{id}/current_usage"""
from lago_world import LagoWorld
import json

def test_try(lago_world: LagoWorld) -> None:
    a = lago_world.ours.get("/customers/maple/current_usage", external_subscription_id="by-hand")
    print(a.status_code, json.dumps(a.json(), indent=1))
    for p in ("/plans", "/billable_metrics"):
        a = lago_world.ours.get(p)
        print(a.status_code, json.dumps(a.json(), indent=1))
    a = lago_world.ours.get("/customers/maple/past_usage", external_subscription_id="billed")
    print(a.status_code, json.dumps(a.json(), indent=1))
    assert 0
