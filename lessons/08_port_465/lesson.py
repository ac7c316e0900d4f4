# %% [markdown] tags=["core"]
# # 8. The port 465 file
#
# *45 minutes. You need units 3, 4 and 5. You will be able to: check a claim against an experiment or a source; tell "wrong"
# from "outdated"; answer "which port should I use?" honestly.*
#
# Search the web for "SMTP port 465". Most articles say the same things, copied from each other for twenty years. Some were
# true once. Here are the sentences of such an article, in our words. You are the editor: what may stay?

# %% tags=["core"]
import sys
from pathlib import Path

here = Path.cwd().resolve()
sys.path += [str(folder) for folder in (here, *here.parents) if (folder / "simulator").is_dir()]

from simulator.exercises import Unit

unit = Unit("08_port_465")
file = unit.material

# %% [markdown] tags=["core"]
# ## 1. What happened when?
#
# You cannot judge "outdated" without a calendar. Put the five events of your task in order, the oldest first.

# %% tags=["core"]
unit.case("in_order")

# %% tags=["core"]
# The letters in order, such as "ABCDE".
order = "".join(sorted(unit.case("in_order"), key=lambda letter: file.YEARS[unit.case("in_order")[letter]]))  # solution
unit.check("in_order", order)

# %% [markdown] tags=["core"]
# The turning point is January **2018**: RFC 8314 gave port 465 back to mail, as `submissions`, with TLS from the first
# octet. Articles from before that year could not know.

# %% [markdown] tags=["core"]
# ## 2. Eight claims
#
# These are yours (somebody with another number has others):

# %% tags=["core"]
file.show_claims(unit.case("eight_claims"))

# %% [markdown] tags=["core"]
# For each one there is an experiment or a source that decides. `file.evidence(5)` runs the experiment for claim 5, or
# names the section of the RFC. **Decide first, look then.**
#
# - `"true"`: it may stay.
# - `"nuance"`: true with an addition that a reader needs.
# - `"outdated"`: it was true.
# - `"wrong"`: it never was.

# %% tags=["core"]
# Number of the claim -> your verdict, such as {3: "true", 5: "wrong", ...}
# solution begins: verdicts
verdicts = {number: file.CLAIMS[number].verdicts[0] for number in unit.case("eight_claims")}
# solution ends
unit.check("eight_claims", verdicts)

# %% tags=["core"]
# Put the number of one of your claims here.
claim = unit.case("eight_claims")[0]  # solution
file.evidence(claim)

# %% [markdown] tags=["core"]
# ## 3. Which port should I use?
#
# Two ports (465, 587), two settings of the mail program (*TLS required and certificate checked*; *TLS if it happens to
# work*), and somebody in the café who either listens or interferes. That makes eight cells. In each one we let it happen,
# and look whether he has the password.
#
# **Predict.** What decides whether the password is lost?

# %% tags=["core"]
# One of "the port", "the setting", "both alike".
decides = "the setting"  # solution
unit.predict("what_decides", decides)

# %% tags=["core"]
table = unit.observe("what_decides", file.eight_cells, show=file.what_decides)
table

# %% [markdown] tags=["core"]
# So the honest answer is **not** "465 is secure, 587 is not":
#
# - Take **465** if it is offered: one thing less that can be set wrongly, and two round trips less (RFC 8314 section 3.3,
#   RFC 9325 section 3.2).
# - Else **587 with STARTTLS required**.
# - In both cases: the certificate is checked. Never in clear, never "if available".

# %% [markdown] tags=["if-time"]
# ## If there is time: your own article
#
# Take one of your claims that was outdated or wrong. Write the sentence as it should stand, with its source. Read it to
# your neighbour: does it survive?

# %% [markdown] tags=["extension"]
# ## Extension: what do programs really offer?
#
# Look up the settings that three providers publish for outgoing mail. Which ports, in which order? Does what they write
# about "SSL" and "TLS" fit unit 4?

# %% tags=["core"]
unit.quiz()

# %% tags=["core"]
unit.progress()
