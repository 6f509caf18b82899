"""The life of a storage domain: add, import, attach, activate, deactivate, detach, remove, destroy."""
import ovirtsdk4 as sdk
import ovirtsdk4.types as types

from judge import case, control, equal, kept, main, only, refused, wait_for

connection = kept()
system = connection.system_service()
domains = system.storage_domains_service()
dc = system.data_centers_service().list()[0]
attached = system.data_centers_service().data_center_service(dc.id).storage_domains_service()
host = system.hosts_service().list(search="name=host1a")[0]


def nfs(path, **other):
    return types.StorageDomain(type=types.StorageDomainType.DATA, host=types.Host(id=host.id),
                               storage=types.HostStorage(type=types.StorageType.NFS, address="nas.localdomain", path=path), **other)


def has(domain, status):
    return lambda: attached.storage_domain_service(domain).get().status == status


@case
def add_refused():
    with refused(400, "name"):  # nothing to import there, and no name to create
        domains.add(nfs("/spare"))
    equal([c.id for c in system.storage_connections_service().list() if c.path == "/spare"], [])
    with refused(400):
        domains.add(nfs("/no-such-export", name="nothing"))
    with refused(400, "host"):
        domains.add(types.StorageDomain(name="nothing", type=types.StorageDomainType.DATA,
                                        storage=types.HostStorage(type=types.StorageType.NFS, address="nas.localdomain", path="/spare")))


@case
def life_of_a_file_domain():
    made = domains.add(nfs("/spare", name="spare", description="interop"))
    equal(domains.storage_domain_service(made.id).get().status, types.StorageDomainStatus.UNATTACHED)
    with refused(409):  # the connection exists
        domains.add(nfs("/spare", name="spare2"))
    equal(domains.storage_domain_service(made.id).is_attached(host=types.Host(id=host.id)), False)
    there = attached.add(types.StorageDomain(id=made.id))
    equal((there.id, there.master), (made.id, False))
    service = attached.storage_domain_service(made.id)
    equal(service.get().status, types.StorageDomainStatus.ACTIVE)
    with refused(409):
        attached.add(types.StorageDomain(id=made.id))
    with refused(409):
        service.activate()
    with refused(409):
        service.remove()
    equal(domains.storage_domain_service(made.id).update(types.StorageDomain(comment="kept")).comment, "kept")
    service.deactivate()
    wait_for(has(made.id, types.StorageDomainStatus.MAINTENANCE), "spare in maintenance")
    service.activate()
    equal(service.get().status, types.StorageDomainStatus.ACTIVE)
    domains.storage_domain_service(made.id).update_ovf_store()
    wait_for(lambda: any(event.code in (199, 1052) for event in system.events_service().list(max=20)), "word of the OVF store")
    wait_for(lambda: deactivated(service), "the OVF store written")
    wait_for(has(made.id, types.StorageDomainStatus.MAINTENANCE), "spare in maintenance")
    service.remove()
    try:
        service.get()
        raise AssertionError("still attached")
    except sdk.NotFoundError:
        pass
    with refused(400, "host"):
        domains.storage_domain_service(made.id).remove()
    domains.storage_domain_service(made.id).remove(host=host.id)
    equal(domains.list(search="name=spare"), [])


def deactivated(service):
    """Deactivation, which waits its turn behind a write of the OVF store."""
    try:
        service.deactivate()
    except sdk.Error as error:
        equal(error.code, 409, str(error))
        return False
    return True


@case
def import_again():
    """What was removed without format is still there: without a name it is imported, under its own."""
    found = domains.add(nfs("/spare"))
    equal(found.name, "spare")
    domains.storage_domain_service(found.id).remove(destroy=True)
    equal(domains.list(search="name=spare"), [])


@case
def masters():
    first, second = only(attached.list(), name="nfs_ds"), only(attached.list(), name="nfs_ds2")
    system.data_centers_service().data_center_service(dc.id).set_master(storage_domain=types.StorageDomain(id=second.id))
    wait_for(has(second.id, types.StorageDomainStatus.ACTIVE), "nfs_ds2 active")
    equal({d.name: d.master for d in attached.list()}, {"nfs_ds": False, "nfs_ds2": True})
    system.data_centers_service().data_center_service(dc.id).clean_finished_tasks()
    with refused(409, "VMs in a state other than"):
        attached.storage_domain_service(first.id).deactivate()


@case
def last_master():
    """The way down of a data center: the VMs, the others, the master."""
    vms = system.vms_service()
    for vm in vms.list(search="status != down"):
        vms.vm_service(vm.id).stop()
    wait_for(lambda: all(vm.status == types.VmStatus.DOWN for vm in vms.list()), "all VMs down")
    first, second = only(attached.list(), name="nfs_ds"), only(attached.list(), name="nfs_ds2")
    wait_for(lambda: deactivated(attached.storage_domain_service(first.id)), "nfs_ds deactivated")
    wait_for(has(first.id, types.StorageDomainStatus.MAINTENANCE), "nfs_ds in maintenance")
    attached.storage_domain_service(first.id).remove()
    equal(sorted(vm.name for vm in vms.list()), ["vm2", "vm4"])
    wait_for(lambda: deactivated(attached.storage_domain_service(second.id)), "nfs_ds2 deactivated")
    wait_for(has(second.id, types.StorageDomainStatus.MAINTENANCE), "nfs_ds2 in maintenance")
    equal(system.data_centers_service().data_center_service(dc.id).get().status, types.DataCenterStatus.MAINTENANCE)
    attached.storage_domain_service(second.id).remove()
    equal(system.data_centers_service().data_center_service(dc.id).get().status, types.DataCenterStatus.UNINITIALIZED)
    equal(vms.list(), [])
    domains.storage_domain_service(first.id).remove(host="host1a", format=False)
    domains.storage_domain_service(second.id).remove(host="host1a")
    equal(domains.list(), [])
    equal([v["kind"] for v in control("/world")["violations"]], ["empty-domain"])  # the one that was asked for


main()
