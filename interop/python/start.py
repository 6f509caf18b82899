"""Starts a VM of a site and waits until it is up."""
import sys

import ovirtsdk4.types as types

from judge import connect, wait_for

with connect(sys.argv[1]) as connection:
    vms = connection.system_service().vms_service()
    service = vms.vm_service(vms.list(search="name=" + sys.argv[2])[0].id)
    service.start()
    wait_for(lambda: service.get().status == types.VmStatus.UP, sys.argv[2] + " up")
