text = "installed"
