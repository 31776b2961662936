"""The metrics of `botmeter worker`."""

from __future__ import annotations

from typing import Final

from botmeter.telemetry.described import CounterOf, GaugeOf, HistogramOf

#: From an idle worker's few milliseconds to a backlog's minutes.
_STAGE_BUCKETS_S: Final = (0.005, 0.01, 0.02, 0.03, 0.05, 0.075, 0.1, 0.15, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300)
_COMMIT_BUCKETS_S: Final = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_BATCH_BUCKETS: Final = (1, 3, 10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000, 100_000, 200_000)

INTERACTIONS: Final = CounterOf(
    "botmeter_interactions_total", "Interactions committed, by what became of them.", ("outcome",)
)
DEAD_LETTERS: Final = CounterOf("botmeter_dead_letters_total", "Records dead-lettered, by reason.", ("reason",))
COMMANDS: Final = CounterOf("botmeter_commands_total", "Commands answered.")

STAGE: Final = HistogramOf(
    "botmeter_stage_seconds",
    "End to end: age of the oldest record of a batch, by the broker's timestamp, when the batch came to a stage: "
    "polled, decided, committed (which is when readers may see it).",
    ("stage",),
    _STAGE_BUCKETS_S,
)
BATCH_RECORDS: Final = HistogramOf(
    "botmeter_batch_records", "Records of the inputs in a transaction.", (), _BATCH_BUCKETS
)
COMMIT: Final = HistogramOf(
    "botmeter_commit_seconds",
    "How long a transaction took, from its begin until it was committed and the local store written.",
    (),
    _COMMIT_BUCKETS_S,
)
TRANSACTIONS: Final = CounterOf("botmeter_transactions_total", "Transactions committed.")
FAILED_COMMITS: Final = CounterOf("botmeter_failed_commits_total", "Commits that failed.")
OPEN_TRANSACTIONS_PASSED: Final = CounterOf(
    "botmeter_open_transactions_passed_total",
    "Times that chats were taken although a transaction on the commands had been open for two seconds.",
)
CLOCK_SKEW: Final = GaugeOf(
    "botmeter_clock_skew_seconds",
    "How far the worker's clock is ahead of the latest known broker time. It grows without traffic, so alert on "
    "botmeter_timer_stopped instead.",
)
TIMER_STOPPED: Final = GaugeOf(
    "botmeter_timer_stopped",
    "1 while the timer rolls no cycle, because the clocks of worker and brokers differ by more than "
    "BOTMETER_CLOCK_SKEW_LIMIT_S; else 0.",
)
LAST_COMMIT: Final = GaugeOf(
    "botmeter_last_commit_timestamp_seconds",
    "When a commit last completed, including turns without anything to commit; missing until the first turn.",
)

TASKS: Final = GaugeOf("botmeter_tasks", "Partitions of this worker, by status.", ("status",))
TAKEN: Final = GaugeOf(
    "botmeter_taken_timestamp_seconds",
    "Broker's time of the last record taken, by partition; missing until one was taken since the restore. "
    "It does not advance without traffic: for the lag see botmeter_lag_seconds.",
    ("partition",),
)
LAG: Final = GaugeOf(
    "botmeter_lag_seconds",
    "Age of the oldest uncommitted record of the inputs, by partition and the broker's timestamp; 0 when all are "
    "committed. Read from the cluster every 2 seconds, also for partitions in restore or failed; it grows when there "
    "is no answer for 15 s. Missing until the first answer.",
    ("partition",),
)
LAG_OFFSETS: Final = GaugeOf(
    "botmeter_lag_offsets",
    "Offsets of an input that are not committed, up to the high watermark, by partition and topic; records of open "
    "transactions and the ends of transactions count.",
    ("partition", "topic"),
)
STATE: Final = GaugeOf(
    "botmeter_partition_state",
    "1 for the state that a partition of this worker is in, 0 for the others. Failed: it meters nothing until an "
    "operator fixes it; /health says why and what to do.",
    ("partition", "state"),
)
STATE_AGE: Final = GaugeOf(
    "botmeter_partition_state_age_seconds", "For how long a partition has been in its state.", ("partition",)
)
READY: Final = GaugeOf("botmeter_ready", "1 while at least one partition is metered (/ready), else 0.")
RESTORE_LEFT: Final = GaugeOf(
    "botmeter_restore_events_left",
    "Events of the journal that a running restore has still to read, by partition.",
    ("partition",),
)
WAITING: Final = GaugeOf(
    "botmeter_waiting_records", "Records read and not yet taken, held in memory, by partition.", ("partition",)
)
ACCOUNTS: Final = GaugeOf("botmeter_accounts", "Accounts of a running partition, all in memory.", ("partition",))

MEMTABLES: Final = GaugeOf(
    "botmeter_rocksdb_memtable_bytes", "Memory of data that is not in files yet, by partition.", ("partition",)
)
INDEXES: Final = GaugeOf(
    "botmeter_rocksdb_index_bytes", "Memory of indexes and bloom filters, by partition.", ("partition",)
)
BLOCK_CACHE: Final = GaugeOf(
    "botmeter_rocksdb_block_cache_bytes", "Memory of blocks read from files, shared by all partitions."
)
DISK: Final = GaugeOf("botmeter_rocksdb_disk_bytes", "Size of the store's files, by partition.", ("partition",))
LIVE: Final = GaugeOf(
    "botmeter_rocksdb_live_bytes", "Estimate of the size of these files after a full compaction.", ("partition",)
)
COMPACTION_PENDING: Final = GaugeOf(
    "botmeter_rocksdb_compaction_pending_bytes",
    "Estimate of the bytes that compaction still has to rewrite.",
    ("partition",),
)
COMPACTIONS: Final = GaugeOf("botmeter_rocksdb_compactions_running", "Compactions under way.", ("partition",))
