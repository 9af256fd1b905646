"""The study planner: a page on this machine on which a power curve redraws as it is computed.

`settings` turns what a person moves into a plan, `curve` estimates the plan bit by bit, `app` is
the page. Nothing is read from or sent to anywhere else.
"""

from acmodels.planner.settings import Control, controls, plan_of

__all__ = ["Control", "controls", "plan_of"]
