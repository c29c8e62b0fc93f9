"""A real Odoo 19's API key for a test, made and removed the way a person does it.

JSON-2 takes no password, and a key cannot be made over JSON-RPC ("This method can only be accessed
over HTTP"). So, as the browser does in Preferences, Account security: log in, fill the dialog
`res.users.apikeys.description`, press `make_key`, confirm the password in
`res.users.identitycheck`; the answer's context shows the key. The dialog's default lets it
expire tomorrow.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx


@contextmanager
def api_key(url: str, db: str, user: str, password: str) -> Iterator[str]:
    with httpx.Client(base_url=url, timeout=60) as http:

        def ask(path: str, **params: Any) -> Any:
            answer = http.post(path, json={"jsonrpc": "2.0", "params": params}).json()
            if "error" in answer:
                raise RuntimeError(answer["error"]["data"]["message"])
            return answer["result"]

        def call(model: str, method: str, *args: Any, **kwargs: Any) -> Any:
            path = f"/web/dataset/call_kw/{model}/{method}"
            return ask(path, model=model, method=method, args=args, kwargs=kwargs)

        ask("/web/session/authenticate", db=db, login=user, password=password)
        name = f"contract suite {uuid.uuid4().hex}"
        dialog = call("res.users.apikeys.description", "create", [{"name": name}])
        check = call("res.users.apikeys.description", "make_key", dialog)
        shown = call(
            check["res_model"], "run_check", [check["res_id"]], context={"password": password}
        )
        yield shown["context"]["default_key"]
        made = call("res.users.apikeys", "search", [("name", "=", name)])
        call("res.users.apikeys", "remove", made)
