vms = {}
