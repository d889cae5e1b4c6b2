locals { up = !fleet.survives_any("zone") }           # ERROR: Reference not possible here
