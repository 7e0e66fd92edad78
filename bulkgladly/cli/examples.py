"""The examples at the end of each `--help`. The documentation test runs them, in the order of a first migration."""

from collections.abc import Mapping

__all__ = ("EXAMPLES", "examples_of")

EXAMPLES: Mapping[str, str] = {
    "": """\
# look at a file, try it against a local emulator, import it
bulkgladly check customers customers.csv --key crm_id
bulkgladly import customers customers.csv --key crm_id --rehearse
bulkgladly import customers customers.csv --key crm_id

# fetch what is new into a data set, for example every night
bulkgladly dump lake --state-dir dumps""",
    "import": """\
# read and check every row, and send nothing
bulkgladly import customers customers.csv --key crm_id --dry-run

# import the first two rows only; `bulkgladly resume` imports the rest
bulkgladly import customers customers.csv --key crm_id --limit 2

# import the tasks of customers that were imported before
bulkgladly import tasks tasks.csv --key ticket

# delete customers without being asked for confirmation
bulkgladly import customers leavers.csv --key crm_id --mode delete --yes""",
    "export": """\
# three lists, as they are now
bulkgladly export agents-list inboxes teams --out lake

# the profiles of the customers in a file
bulkgladly export profiles --emails customers.csv --out lake

# a report, from this day until now
bulkgladly export report ConversationExportReport --from 2026-10-01 --out lake""",
    "dump": """\
# everything that is new, for example from cron every night
bulkgladly dump lake --state-dir dumps

# also conversations and lake/current; data older than 400 days is removed
bulkgladly dump lake --what +conversations --compact --retention 400d

# a few objects only, as CSV files
bulkgladly dump sheets --what customers,agents --format csv""",
    "plan": """\
# what an import would do, given what earlier imports have sent; no requests
bulkgladly plan customers customers.csv --key crm_id --out customers.plan

# the same, after reading what would be overwritten from Gladly
bulkgladly plan customers customers.csv --key crm_id --out live.plan --live""",
    "apply": """\
# one record first, for you to check; `bulkgladly resume` does the rest
bulkgladly apply live.plan --canary 1

# all of it, and nothing else
bulkgladly apply live.plan

# a plan that deletes, without being asked for confirmation
bulkgladly apply leavers.plan --yes""",
    "check": """\
# nothing is sent, and no credentials are needed
bulkgladly check customers customers.csv --key crm_id

# show the wrong values, which may be personal data
bulkgladly check customers customers.csv --key crm_id --show-values

# tasks, with the findings as JSON for programs
bulkgladly check tasks tasks.csv --key ticket --json""",
    "verify": """\
# what a run sent (the end of its name), and what Gladly holds
bulkgladly verify 4a20f903

# a file, without a run; 500 of its rows, chosen at random
bulkgladly verify customers customers.csv --key crm_id --sample 500""",
    "migrate": """\
bulkgladly migrate check
bulkgladly migrate run --rehearse
bulkgladly migrate run""",
    "migrate check": """\
# every row of every step, with one estimate; nothing is sent
bulkgladly migrate check

# write what is carried over and what is not, for a person to sign
bulkgladly migrate check --coverage coverage.md

# a project file of another name, as JSON for programs
bulkgladly migrate check migrate.toml --json""",
    "migrate run": """\
# all steps against a local emulator
bulkgladly migrate run --rehearse

# the steps in their order; the same command continues after an interruption
bulkgladly migrate run

# one step again, whose file has changed
bulkgladly migrate run --again tasks""",
    "migrate status": """\
# what is done, and the next command
bulkgladly migrate status

# the same for programs
bulkgladly migrate status --json""",
    "resume": """\
# continue the newest unfinished run
bulkgladly resume

# continue one run for at most eight hours
bulkgladly resume tasks --max-duration 8h""",
    "retry": """\
# the rejected rows of the newest run, now with a country for phone numbers
bulkgladly retry --phone-region GB

# of another run (the end of its name): update who has the same address
bulkgladly retry 4a20f903 --on-conflict update""",
    "undo": """\
# what would be taken back of a run (the end of its name); nothing is sent
bulkgladly undo 4a20f903 --dry-run

# take back ten objects, for you to check; `bulkgladly resume` does the rest
bulkgladly undo 4a20f903 --limit 10 --yes""",
    "runs": """\
bulkgladly runs list
bulkgladly runs show""",
    "runs list": """\
bulkgladly runs list

# the runs of another state directory, for programs
bulkgladly runs list --state-dir dumps --json""",
    "runs show": """\
# the newest run, even while it is running
bulkgladly runs show

# one run, by the end of its name
bulkgladly runs show 4a20f903 --json""",
    "runs open": """\
# the page of the newest run, even while it is running
bulkgladly runs open

# where the page of one run is, without a browser
bulkgladly runs open 4a20f903 --print""",
    "runs pause": """\
# from another terminal, while the run is in progress (any part of its name)
bulkgladly runs pause customers-upsert

# the export of another state directory
bulkgladly runs pause dump-export --state-dir dumps""",
    "runs continue": """\
bulkgladly runs continue customers-upsert

# for programs: what it does now, and how far it is
bulkgladly runs continue customers-upsert --json""",
    "runs rate": """\
# slow it down to 3 requests a second
bulkgladly runs rate customers-upsert 3

# its own pace again
bulkgladly runs rate customers-upsert usual""",
    "runs stop": """\
# it ends with exit code 10; `bulkgladly resume` continues it
bulkgladly runs stop customers-upsert

# the export of another state directory
bulkgladly runs stop dump-export --state-dir dumps""",
    "runs purge": """\
bulkgladly runs purge --older-than 90d

# the runs of dumps, which are kept in a folder of their own
bulkgladly runs purge --older-than 14d --state-dir dumps""",
    "dataset": """\
bulkgladly dataset show lake
bulkgladly dataset verify lake""",
    "dataset verify": """\
# names, sizes, row counts and columns
bulkgladly dataset verify lake

# every byte
bulkgladly dataset verify lake --deep""",
    "dataset show": """\
bulkgladly dataset show lake
bulkgladly dataset show lake --json""",
    "dataset drift": """\
bulkgladly dataset drift lake
bulkgladly dataset drift lake --json""",
    "dataset compact": """\
# the newest row of each key, of all data sets
bulkgladly dataset compact lake

# of one data set
bulkgladly dataset compact lake inboxes""",
    "dataset load": """\
# what is new, into SQLite; PostgreSQL is postgresql://USER@HOST/DATABASE
bulkgladly dataset load lake sqlite:///lake.db

# two data sets only
bulkgladly dataset load lake duckdb:///lake.duckdb inboxes agents-list

# one row for each key, after `dump --compact` or `dataset compact`
bulkgladly dataset load lake sqlite:///newest.db --current""",
    "dataset sql": """\
# views with the newest row of each key, and views that join them
bulkgladly dataset sql lake -o views.sql

# to the standard output
bulkgladly dataset sql lake""",
    "dataset push": """\
# sends what differs from what the bucket holds
bulkgladly dataset push lake s3://example-lake/gladly
bulkgladly dataset push lake s3://example-lake/gladly --json""",
    "dataset pull": """\
# fetches what differs from what the folder holds
bulkgladly dataset pull s3://example-lake/gladly lake
bulkgladly dataset pull s3://example-lake/gladly lake --json""",
    "dataset build": """\
# one row for each conversation, with its messages and its text
bulkgladly dataset build lake conversations -o conversations.parquet

# a page for each conversation since November
bulkgladly dataset build lake conversations --html pages --since 2026-11-01

# how long each agent was available, away and so on
bulkgladly dataset build lake agent-intervals -o intervals.csv

# the offers, waits and ends of contacts
bulkgladly dataset build lake contact-lifecycles -o contacts.ndjson""",
    "dataset purge": """\
# says what it would remove, and asks
bulkgladly dataset purge lake --older-than 400d

# without asking
bulkgladly dataset purge lake --older-than 400d --yes""",
    "inbox": """\
bulkgladly inbox show""",
    "inbox show": """\
# also while a process receives
bulkgladly inbox show

# for programs
bulkgladly inbox show --json""",
    "inbox replay": """\
# all that are kept, as NDJSON
bulkgladly inbox replay

# those of the last two days, to a command
bulkgladly inbox replay --since 2d --to 'exec:tee events.ndjson'

# new tasks only
bulkgladly inbox replay --where "type == 'TASK/CREATED'"\
""",
    "inbox drop": """\
bulkgladly inbox drop --before 2026-11-20

# for programs
bulkgladly inbox drop --before 2026-11-20T08:00Z --json""",
    "map": """\
bulkgladly map init contacts.csv --to customers --out customers.toml
bulkgladly map check contacts.csv --map customers.toml""",
    "map init": """\
# draft a mapping from your columns to those of customers
bulkgladly map init contacts.csv --to customers --out customers.toml

# look at it first
bulkgladly map init contacts.csv --to customers --rows 100

# write all mappings for the export of a help desk or a shop
bulkgladly map init --from zendesk zendesk-export --out migration""",
    "map check": """\
# the first rows before and after, with masked values
bulkgladly map check contacts.csv --map customers.toml

# two rows, with their values
bulkgladly map check contacts.csv --map customers.toml --rows 2 --show-values""",
    "rules": """\
bulkgladly rules check rules.toml
bulkgladly rules check rules.toml --events events.ndjson""",
    "rules check": """\
# say what each rule does
bulkgladly rules check rules.toml

# show what the rules would have done for recorded events; nothing is sent
bulkgladly rules check rules.toml --events events.ndjson""",
    "schema": """\
bulkgladly schema show customers""",
    "schema show": """\
# what an import of customers takes, and what an export of them holds
bulkgladly schema show customers
bulkgladly schema show ConversationExportReport --json

# which report answers which question
bulkgladly schema show --reports""",
    "init": """\
# asks for host and user
bulkgladly init

# without a terminal
bulkgladly init --host acme --user ops@example.org --token-file token""",
    "follow": """\
# print events as they happen
bulkgladly follow

# keep them in a data set, and pass tasks on to a command
bulkgladly follow --out lake --entities TASK --to 'exec:jq -c .type'

# those of the last hour as well, each with its object
bulkgladly follow --since 1h --fetch""",
    "live": """\
bulkgladly live

# once, for a script
bulkgladly live --json""",
    "listen": """\
# receive webhooks behind a proxy, and land the events in a data set
bulkgladly listen --out lake

# enable the webhook again whenever Gladly has deactivated it
bulkgladly listen --out lake --heal

# with TLS of its own, without a proxy
bulkgladly listen --out lake --at 0.0.0.0:443 --tls-cert c.pem --tls-key k.pem""",
    "listen register": """\
# while `listen` runs behind this URL
bulkgladly listen register https://hooks.example.org/gladly

# only one type of events
bulkgladly listen register https://hooks.example.org/t --events TASK/CREATED""",
    "listen show": """\
bulkgladly listen show
bulkgladly listen show --json""",
    "listen unregister": """\
bulkgladly listen unregister https://hooks.example.org/gladly

# one that somebody else has created
bulkgladly listen unregister https://hooks.example.org/old --force""",
    "explain": """\
# why was this row not imported? In the newest import, by its line
bulkgladly explain customers.csv:4

# by its source key, in another run (the end of its name); without requests
bulkgladly explain 4a20f903 C1 --offline

# with the values of the row, as JSON
bulkgladly explain C1 --show-values --json""",
    "crosswalk": """\
bulkgladly crosswalk export customers -o customers-ids.csv
bulkgladly crosswalk repair customers""",
    "crosswalk export": """\
# the source keys and their ids in Gladly, as a table
bulkgladly crosswalk export customers -o customers-ids.parquet

# for another machine, where unchanged rows then need no requests either
bulkgladly crosswalk export customers -o customers-ids.csv --fingerprints""",
    "crosswalk import": """\
# ids that another tool has recorded, in columns of its own
bulkgladly crosswalk import customers tool.csv --key-column crm --id-column id

# a file that was exported on another machine
bulkgladly crosswalk import customers customers-ids.csv""",
    "crosswalk repair": """\
# one request for each known customer: merged ones are found
bulkgladly crosswalk repair customers

# also forget the keys of tasks that were deleted in Gladly
bulkgladly crosswalk repair tasks --forget-deleted""",
    "doctor": """\
bulkgladly doctor

# with the credentials of a profile in the settings file
bulkgladly doctor --profile sandbox

# and a place in a bucket
bulkgladly doctor --out s3://example-lake/gladly""",
    "help": """\
bulkgladly help import
bulkgladly help runs list""",
}
"""By the name of the command, without the program's; lines that begin with `#` say what the next one does."""


def examples_of(command: str) -> list[str]:
    """Return the lines of a command's examples that can be run."""
    return [line for line in EXAMPLES[command].splitlines() if line.startswith("bulkgladly")]
