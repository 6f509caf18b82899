"""Stops every VM of a site and puts storage domains into maintenance, masters last, as an operator does in the portal."""
import sys

import ovirtsdk4.types as types

from judge import connect, wait_for

site, names = sys.argv[1], sys.argv[2].split(",")
with connect(site) as connection:
    system = connection.system_service()
    vms = system.vms_service()
    for vm in vms.list(search="status != down"):
        vms.vm_service(vm.id).stop()
    wait_for(lambda: all(vm.status == types.VmStatus.DOWN for vm in vms.list()), "all VMs down")
    dcs = system.data_centers_service()
    planned = []
    for dc in dcs.list():
        attached = dcs.data_center_service(dc.id).storage_domains_service()
        planned += [(domain.master, domain.name, attached.storage_domain_service(domain.id))
                    for domain in attached.list() if domain.name in names]
    for _, name, service in sorted(planned, key=lambda p: p[:2]):
        service.deactivate()
        wait_for(lambda: service.get().status == types.StorageDomainStatus.MAINTENANCE, name + " in maintenance")
