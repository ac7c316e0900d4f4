# %% [markdown]
# # Start here: one message, three steps
#
# *About 5 minutes. You need nothing but this notebook: no account, no network, no other program.*
#
# Everything happens on this computer. A small internet starts inside this notebook: mail programs, real mail servers,
# a real DNS, a real certificate authority. One message will travel through it, and you will see every step.
#
# Run a cell with **Shift+Enter**.

# %% [markdown]
# ## 1. Is everything installed?

# %%
import sys
from pathlib import Path

# The simulator lies in a folder above this one; let Python look there too.
here = Path.cwd().resolve()
sys.path += [str(folder) for folder in (here, *here.parents) if (folder / "simulator").is_dir()]

from simulator.doctor import check_installation

check_installation()

# %% [markdown]
# Every line should say **ok**. If one does not, it says what to do.
#
# (In Colab or Binder the folder is not there yet: get the whole repository first, and install `requirements.txt`.)
#
# ## 2. Start the small internet

# %%
from simulator import Internet

net = Internet()
net.endpoints()

# %% [markdown]
# This table is the whole internet. Each line is a service that listens.
#
# - **logical address** and **port** are what the story uses: 25, 465 and 587 for mail, 53 for names.
# - **real address** and **real port** are where the same service really is on your computer. Ordinary users may not
#   open   ports below 1024, so the small internet uses high ones and translates.
#
# ## 3. Send the first message
#
# Alice, at `alice.example`, writes to Bob, at `bob.example`.

# %%
journey = net.send(
    "Hello Bob, can you read this?", sender="alice@alice.example", to="bob@bob.example", subject="First message"
)
journey.outcomes

# %% [markdown]
# The message is delivered. It took **three steps**:
#
# 1. **Submission**: Alice's mail program hands the message to Alice's own outgoing server.
# 2. **Relay**: that server asks the DNS which host takes mail for `bob.example`, and speaks to that host on port 25.
# 3. **Inbound delivery**: Bob's server accepts the message and files it in Bob's mailbox.
#
# ## 4. See who spoke to whom

# %%
figure = journey.map()
figure

# %%
from simulator.views.network_map import alt_text

print(alt_text(journey.trace))

# %% [markdown]
# The cell above says in words what the map shows.
#
# ## 5. Read what they said
#
# Here is every line of both conversations. The marks on the left say who could read it on the way:
#
# | mark | meaning |
# |---|---|
# | `->` `<-` | client, server: **readable** by anyone on the path |
# | `~>` `<~` | client, server: inside **TLS**, a listener sees only records |
# | `--` | not said, but it happened |

# %%
journey

# %% [markdown]
# Look for these three things:
#
# - On the first connection **nothing** is readable: TLS begins with the first octet (port 465).
# - On the second connection (port 25) the first lines are readable. After `STARTTLS`, nothing is.
# - The questions to the DNS are always readable.
#
# ## 6. Look into Bob's mailbox

# %%
letter = net.inbox("bob@bob.example")[0]
print(letter)

# %% [markdown]
# The two `Received` fields were put on by the two servers, the newest on top. Read them from below: that is the way the
# message went.
#
# ## 7. Close the internet

# %%
net.close()

# %% [markdown]
# That is all. The next lessons look at each step closely.
