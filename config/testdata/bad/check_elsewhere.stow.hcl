locals { up = fleet.survives_any_host }               # ERROR: Reference not possible here
