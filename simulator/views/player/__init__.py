"""The player: one page that steps through a recorded journey. `simulator.export.html` packs it."""
