"""Prove after: what Gladly holds, compared with what an earlier run, a plan or files say.

`verify_run` compares them (`verify_options`): a run whose work is `verify_work`. `verify_inputs` finds the files of a
run or a plan again. `verify_rows` reads the rows as an import would, `verify_sample` chooses among them,
and `verify_compare` makes the verdict. At the end `verify_summary` has the report,
`verify_table` writes `verify.parquet`, `verify_page` says it to people, and `verify_next_steps` what to do about it;
`verify_forget` lets the next import write what differs.
`start_verification` has it as functions for programs.
"""
