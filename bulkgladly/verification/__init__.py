"""Prove after: what Gladly holds, compared with what an earlier run, a plan or files say.

`verify_run` compares them (`verify_options`): a run whose work is `verify_work`. `verify_rows` reads the rows as an
import would, `verify_sample` chooses among them, and `verify_compare` makes the verdict. At the end `verify_summary`
has the report, `verify_table` writes `verify.parquet`, and `verify_page` says it to people; `verify_forget` lets the
next import write what differs.
`start_verification` has it as functions for programs.
"""
