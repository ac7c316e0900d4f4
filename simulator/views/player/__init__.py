"""The player: one page that steps through a recorded journey. Data and drawing only; `simulator.export.html` packs it."""
