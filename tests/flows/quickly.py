"""The functions that work on a run, in surroundings without chance: every wait that is drawn from it is 0.

They make no pages, which would take a tenth of the time of all tests; `test_run_page` does.
"""

from functools import partial

import bulkgladly
from bulkgladly.api import RetryPolicy
from bulkgladly.resume import resume_run as _resume_run
from bulkgladly.runs.environment import Environment

QUICK = Environment(random=lambda: 0.0, retry=RetryPolicy(base_s=0.001, cap_s=0.001), page=None)
HASTY = Environment(random=lambda: 0.0, retry=QUICK.retry, first_contact_s=0.05, page=None)
"""The same, and a host that was never there is soon given up."""

start_import = partial(bulkgladly.start_import, environment=QUICK)
resume_import = partial(bulkgladly.resume_import, environment=QUICK)
retry_import = partial(bulkgladly.retry_import, environment=QUICK)
start_export = partial(bulkgladly.start_export, environment=QUICK)
resume_export = partial(bulkgladly.resume_export, environment=QUICK)
dump = partial(bulkgladly.dump, environment=QUICK)
resume_run = partial(_resume_run, environment=QUICK)
