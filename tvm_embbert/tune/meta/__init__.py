"""What we use of MetaSchedule: spaces, mutations, features, and the search itself.

A kernel's knobs are sampled into annotations of one block, so that MetaSchedule's traces, database,
evolutionary search and XGBoost model work as they do on loops; the builder reads the annotations
and makes the kernel. All that is sensitive to TVM's version in tuning is in here.
"""
