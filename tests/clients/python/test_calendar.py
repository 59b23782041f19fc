"""The library icalendar, as it comes, reads the calendar.

CLOSED_URL is the address of a service, CLOSED_TOKEN a token of it with the scope admin.
"""

import datetime
import json
import os
import unittest
import urllib.request
import uuid

from icalendar import Calendar

URL, TOKEN = os.environ["CLOSED_URL"], os.environ["CLOSED_TOKEN"]
NAME = 'Zoë; "Countess", 中文 ' + "€ß😀" * 40
NOTE = "one\ntwo\r\nthree; four, five\\n six\ttab" + "é" * 200


def ask(method: str, path: str, body: object = None) -> dict:
    headers = {"authorization": f"Bearer {TOKEN}", "content-type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(URL + path, data, headers, method=method)
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


class CalendarTest(unittest.TestCase):
    def test_a_follow_up_is_read_as_it_was_written(self) -> None:
        mark = uuid.uuid4().hex
        lead = {"email": f"{mark}@py.example", "name": NAME, "attributes": {"PHONE": "+44 1; 2", "url": "https://x.example/?a=1,2;3"}}
        lead_id = ask("POST", "/leads", lead)["id"]
        action = {"lead_id": lead_id, "action_type": "call", "timestamp": "2026-01-31 09:30:00", "details": NOTE}
        ask("POST", "/actions", action)
        process = {"name": mark, "lead_id": lead_id, "next_followup_datetime": "2099-02-07T23:55:00+02:00"}
        made = ask("POST", "/processes", process)
        path = ask("POST", "/tokens", {"name": mark, "scope": "calendar"})["path"]
        with urllib.request.urlopen(URL + path) as answer:
            text = answer.read()
        for line in text.split(b"\r\n"):
            self.assertLessEqual(len(line), 75)
            line.decode()
        self.assertNotIn(b"\n", text.replace(b"\r\n", b""))
        calendar = Calendar.from_ical(text)
        self.assertEqual(calendar.errors, [])
        self.assertEqual(str(calendar["X-WR-CALNAME"]), "Follow-ups")
        self.assertEqual(calendar["REFRESH-INTERVAL"].dt, datetime.timedelta(minutes=15))
        event = next(one for one in calendar.events if mark in one["SUMMARY"])
        self.assertEqual(event.errors, [])
        self.assertEqual(event["SUMMARY"], f"{NAME}: {mark}")
        note = NOTE.replace("\r\n", "\n")
        self.assertEqual(
            event["DESCRIPTION"],
            f"{mark}@py.example\nPhone: +44 1; 2\nLast: call, 2026-01-31 09:30 UTC: {note}",
        )
        begin = datetime.datetime(2099, 2, 7, 21, 55, tzinfo=datetime.timezone.utc)
        self.assertEqual(event.start, begin)
        self.assertEqual(event.end - event.start, datetime.timedelta(minutes=15))
        self.assertEqual(event["SEQUENCE"], 1)
        self.assertEqual(event["URL"], "https://x.example/?a=1,2;3")
        self.assertIsNotNone(event.DTSTAMP.tzinfo)
        alarm = event.alarms.times[0]
        self.assertEqual(alarm.trigger, begin)
        # It is the same event when it has moved.
        ask("PUT", f"/processes/{made['id']}", {"next_followup_datetime": "2099-03-01 09:00:00"})
        with urllib.request.urlopen(URL + path) as answer:
            moved = Calendar.from_ical(answer.read())
        after = next(one for one in moved.events if mark in one["SUMMARY"])
        self.assertEqual((after["UID"], after["SEQUENCE"]), (event["UID"], 2))


if __name__ == "__main__":
    unittest.main()
