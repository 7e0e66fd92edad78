"""Print one line for the account manager of each event on the standard input. Replace `print` by your own message."""

import json
import sys

for line in sys.stdin:
    event = json.loads(line)
    manager = event["customer"]["customAttributes"]["accountManager"]
    name, kind = event["customer"].get("name", "a customer"), event["type"].split("/")[1].lower()
    print(f"{manager}: a conversation of {name} was {kind} ({event['content']['conversationId']})")
