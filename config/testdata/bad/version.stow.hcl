stowage { required_version = ">= 9" }           # ERROR: Another version of Stowage is required
