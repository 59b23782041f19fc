"""The client that openapi-python-client makes of /openapi.json, used as it is.

OPEN_URL is the address of a service that is open.
"""

import io
import json
import os
import unittest
import urllib.parse
import uuid

from crm_client import AuthenticatedClient, Client
from crm_client.api.actions import create_action, delete_action, get_action, patch_action
from crm_client.api.followups import list_followups
from crm_client.api.leads import bulk_leads, create_lead, delete_lead, get_lead, list_leads, patch_lead, update_lead
from crm_client.api.processes import create_process, patch_process
from crm_client.api.service import metrics, ready
from crm_client.api.tokens import list_tokens
from crm_client.models import (
    ActionCreate,
    ActionUpdate,
    Attributes,
    CreateLeadOnDuplicate,
    Error,
    Lead,
    LeadCreate,
    LeadUpdate,
    ListLeadsOwnFields,
    ProcessCreate,
    ProcessUpdate,
)

from crm_client.types import File

URL = os.environ["OPEN_URL"]


def next_cursor(response):
    """The cursor of the next page, or None."""
    link = response.headers.get("link")
    if link is None:
        return None
    target, relation = link.split(">; ")
    assert relation == 'rel="next"', link
    return urllib.parse.parse_qs(urllib.parse.urlsplit(target.lstrip("<")).query)["after"][0]


class ClientTest(unittest.TestCase):
    def setUp(self):
        self.client = self.enterContext(Client(base_url=URL))

    def lead(self, email, **rest):
        made = create_lead.sync(client=self.client, body=LeadCreate(email=email, **rest))
        self.assertIsInstance(made, Lead)
        self.addCleanup(delete_lead.sync, made.id, client=self.client, cascade=True)
        return made

    def test_a_create_needs_the_required_fields_alone(self):
        made = self.lead("one@py.example")
        self.assertEqual((made.status, made.name, made.attributes.to_dict()), ("new", None, {}))

    def test_an_update_changes_the_fields_that_it_names_and_no_other(self):
        attributes = Attributes.from_dict({"company": "Acme", "size": 3})
        made = self.lead("won@py.example", name="Ada", status="won", attributes=attributes)
        for change in (patch_lead.sync, update_lead.sync):
            changed = change(made.id, client=self.client, body=LeadUpdate(name="Ada L."))
            self.assertEqual((changed.name, changed.status), ("Ada L.", "won"))
            self.assertEqual(changed.attributes.to_dict(), {"company": "Acme", "size": 3})
        change = LeadUpdate(attributes=Attributes.from_dict({"city": "London", "size": None}))
        merged = patch_lead.sync(made.id, client=self.client, body=change)
        self.assertEqual(merged.attributes.to_dict(), {"company": "Acme", "city": "London"})
        cleared = patch_lead.sync(made.id, client=self.client, body=LeadUpdate(name=None, attributes=None))
        self.assertEqual((cleared.name, cleared.status, cleared.attributes.to_dict()), (None, "won", {}))

    def test_a_record_is_put_back_as_it_was_read(self):
        attributes = Attributes.from_dict({"a": [1, {"b": None}]})
        made = self.lead("back@py.example", name="Back", attributes=attributes)
        read = get_lead.sync(made.id, client=self.client)
        put = update_lead.sync_detailed(made.id, client=self.client, body=LeadUpdate.from_dict(read.to_dict()))
        self.assertEqual(put.parsed, made)
        self.assertEqual(put.headers["etag"], '"1"')
        # Fields that were not read are not put back, and so they stay.
        part = get_lead.sync(made.id, client=self.client, fields=["id", "status"])
        self.assertEqual(part.to_dict(), {"id": made.id, "status": "new"})
        put = update_lead.sync(made.id, client=self.client, body=LeadUpdate.from_dict(part.to_dict()))
        self.assertEqual(put, made)

    def test_actions_and_processes_too(self):
        lead = self.lead("both@py.example")
        action = create_action.sync(
            client=self.client,
            body=ActionCreate(lead_id=lead.id, action_type="call", timestamp="2026-01-31 09:30:00"),
        )
        told = patch_action.sync(action.id, client=self.client, body=ActionUpdate(details="Asked"))
        expected = action.to_dict() | {"details": "Asked", "description": "Asked", "updated_at": told.updated_at}
        self.assertEqual(told.to_dict(), expected)
        process = create_process.sync(
            client=self.client,
            body=ProcessCreate(lead_id=lead.id, name="Quote", status="paused", last_action_id=action.id),
        )
        renamed = patch_process.sync(process.id, client=self.client, body=ProcessUpdate(name="Offer"))
        self.assertEqual(renamed.to_dict(), process.to_dict() | {"name": "Offer", "updated_at": renamed.updated_at})
        (followup,) = list_followups.sync(client=self.client, lead_id=str(lead.id), status="paused")
        self.assertEqual((followup.id, followup.lead_email), (process.id, "both@py.example"))
        refused = delete_lead.sync_detailed(lead.id, client=self.client)
        self.assertEqual(refused.status_code, 409)
        self.assertIn("1 action and 1 process", refused.parsed.error)
        self.assertEqual(delete_action.sync(action.id, client=self.client).message, "Action deleted")
        missing = get_action.sync(action.id, client=self.client)
        self.assertIsInstance(missing, Error)
        self.assertEqual(missing.error, "Action not found")

    def test_lists(self):
        made = [
            self.lead(
                f"{number}@page.py.example",
                name=f"Page {number % 3}",
                status="lost" if number == 3 else "open",
                attributes=Attributes.from_dict({"size": number}),
            ).id
            for number in range(7)
        ]
        filters = {"client": self.client, "status": "open", "email": "like:%@page.py.example"}
        found, page = [], {}
        while True:
            answer = list_leads.sync_detailed(**filters, limit=2, count=True, **page)
            self.assertEqual(answer.headers["x-total-count"], "6")
            found += [lead.id for lead in answer.parsed]
            cursor = next_cursor(answer)
            if cursor is None:
                break
            page = {"after": cursor}
        self.assertEqual(found, made[:3] + made[4:])

        # This client repeats a parameter for each item.
        listed = list_leads.sync_detailed(**filters, fields=["name", "id"], sort=["-name", "-id"])
        expected = [(f"Page {number % 3}", made[number]) for number in (5, 2, 4, 1, 6, 0)]
        self.assertEqual([(lead.name, lead.id) for lead in listed.parsed], expected)
        self.assertTrue(listed.content.startswith(b'[{"name":"Page 2","id":'), listed.content)

        # A period, and a field of your own.
        for end, count in (("9999-01-01", 6), ("2026-01-02", 0)):
            period = ["gte:2026-01-01", f"lt:{end}"]
            self.assertEqual(len(list_leads.sync(**filters, created_at=period)), count)
        key = ListLeadsOwnFields.from_dict({"attributes.size": "gte:5"})
        self.assertEqual([lead.id for lead in list_leads.sync(**filters, own_fields=key)], made[5:])

        refused = list_leads.sync(client=self.client, fields=["id", "colour"])
        self.assertEqual(list(refused.fields.to_dict()), ["fields"])

    def test_a_stale_update_and_a_reused_key_are_told_apart(self):
        made = self.lead("stale@py.example")
        stale = patch_lead.sync_detailed(made.id, client=self.client, body=LeadUpdate(name="X"), if_match='"9"')
        self.assertEqual(stale.status_code, 412)
        key = str(uuid.uuid4())
        for name, status in (("One", 200), ("One", 200), ("Two", 422)):
            answer = patch_lead.sync_detailed(
                made.id, client=self.client, body=LeadUpdate(name=name), idempotency_key=key
            )
            self.assertEqual(answer.status_code, status)
        again = create_lead.sync_detailed(
            client=self.client,
            body=LeadCreate(email="stale@py.example"),
            on_duplicate=CreateLeadOnDuplicate.REJECT,
        )
        self.assertEqual(again.status_code, 409)

    def test_many_are_created_by_one_request(self):
        lines = "".join(json.dumps({"op": "create", "data": {"email": f"{name}@py.example"}}) + "\n" for name in ("many1", "many2", "x y"))
        answer = bulk_leads.sync_detailed(client=self.client, body=File(io.BytesIO(lines.encode())))
        self.assertEqual(answer.status_code, 200)
        told = [json.loads(line) for line in answer.content.splitlines() if line]
        self.assertEqual([line["status"] for line in told[:3]], [201, 201, 400])
        self.assertEqual((told[3]["end"]["created"], told[3]["end"]["refused"]), (2, 1))
        for line in told[:2]:
            delete_lead.sync(line["id"], client=self.client, cascade=True)

    def test_the_service_itself(self):
        self.assertEqual(ready.sync(client=self.client).status, "ready")
        self.assertIn("# TYPE ", metrics.sync(client=self.client))
        with AuthenticatedClient(base_url=URL, token="crm_0") as client:
            self.assertEqual(list_tokens.sync_detailed(client=client).status_code, 401)


if __name__ == "__main__":
    unittest.main()
