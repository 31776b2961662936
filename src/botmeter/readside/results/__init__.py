"""What the queries answer: frozen, plain, ready to be shown. Moments are UTC ms; money is in minor units."""

from botmeter.readside.results.accounts import (
    AccountDetail,
    AccountPage,
    AccountState,
    AccountSummary,
    AutoRecharge,
    SortBy,
    Threshold,
)
from botmeter.readside.results.explanations import Explanation
from botmeter.readside.results.history import (
    ALERTS,
    ChargeRow,
    CommandRow,
    Delivery,
    HandoffPage,
    HandoffRow,
    Suspension,
    TimelineEntry,
    TimelinePage,
)
from botmeter.readside.results.origin import Cause, CauseKind, CycleSpan, Freshness, JournalPlace, Money
from botmeter.readside.results.sessions import SessionFilter, SessionPage, SessionRow
from botmeter.readside.results.statements import Statement
from botmeter.readside.results.usage import (
    BandPoint,
    Bucket,
    BurnDown,
    Forecast,
    RemainingPoint,
    Step,
    StepKind,
    ThresholdLine,
    UsageBucket,
    UsageBy,
    UsageSeries,
)
from botmeter.readside.results.what_if import Scenario, WhatIf, WhatIfCycle

__all__ = [
    "ALERTS",
    "AccountDetail",
    "AccountPage",
    "AccountState",
    "AccountSummary",
    "AutoRecharge",
    "BandPoint",
    "Bucket",
    "BurnDown",
    "Cause",
    "CauseKind",
    "ChargeRow",
    "CommandRow",
    "CycleSpan",
    "Delivery",
    "Explanation",
    "Forecast",
    "Freshness",
    "HandoffPage",
    "HandoffRow",
    "JournalPlace",
    "Money",
    "RemainingPoint",
    "Scenario",
    "SessionFilter",
    "SessionPage",
    "SessionRow",
    "SortBy",
    "Statement",
    "Step",
    "StepKind",
    "Suspension",
    "Threshold",
    "ThresholdLine",
    "TimelineEntry",
    "TimelinePage",
    "UsageBucket",
    "UsageBy",
    "UsageSeries",
    "WhatIf",
    "WhatIfCycle",
]
