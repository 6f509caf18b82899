"""What can be done to a VM: start, stop and their kind, changes, and what the engine refuses."""
import ovirtsdk4.types as types

from judge import case, equal, kept, main, only, refused, wait_for

connection = kept()
system = connection.system_service()
vms = system.vms_service()
ids = {vm.name: vm.id for vm in vms.list()}


def vm(name):
    return vms.vm_service(ids[name])


def is_in(name, status):
    return lambda: vm(name).get().status == status


@case
def start():
    service = vm("vm4")
    service.start()
    with refused(409):
        service.start()
    wait_for(is_in("vm4", types.VmStatus.UP), "vm4 up")
    running = service.get(follow="host")
    equal(running.host.status, types.HostStatus.UP)
    wait_for(lambda: service.get().fqdn == "vm4.localdomain", "the guest's name")
    assert any(event.code == 32 or event.code == 153 for event in system.events_service().list(search="vm.id=" + ids["vm4"])), "no event of the start"


@case
def start_once():
    service = vm("vm4")
    service.stop()
    wait_for(is_in("vm4", types.VmStatus.DOWN), "vm4 down")
    service.start(use_cloud_init=True, vm=types.Vm(initialization=types.Initialization(host_name="dr4")))
    wait_for(is_in("vm4", types.VmStatus.UP), "vm4 up")
    equal(service.get().run_once, True)


@case
def start_in_two_ways():
    service = vm("vm4")
    service.stop()
    wait_for(is_in("vm4", types.VmStatus.DOWN), "vm4 down")
    with refused(409):
        service.start(use_cloud_init=True, use_sysprep=True)
    service.start(vm=types.Vm(placement_policy=types.VmPlacementPolicy(hosts=[types.Host(name="host1b")])))
    wait_for(is_in("vm4", types.VmStatus.UP), "vm4 up")
    equal(vm("vm4").get(follow="host").host.name, "host1b")


@case
def shutdown_reboot_suspend():
    service = vm("vm4")
    service.reboot()
    equal(service.get().status, types.VmStatus.REBOOT_IN_PROGRESS)
    wait_for(is_in("vm4", types.VmStatus.UP), "vm4 up")
    service.suspend()
    wait_for(is_in("vm4", types.VmStatus.SUSPENDED), "vm4 suspended")
    service.start()
    wait_for(is_in("vm4", types.VmStatus.UP), "vm4 up")
    service.shutdown(reason="interop")
    equal(service.get().status, types.VmStatus.POWERING_DOWN)
    wait_for(is_in("vm4", types.VmStatus.DOWN), "vm4 down")
    equal(service.get().stop_reason, "interop")


@case
def migrate():
    service = vm("vm3")
    before = service.get().host.id
    service.migrate()
    equal(service.get().status, types.VmStatus.MIGRATING)
    wait_for(lambda: service.get().status == types.VmStatus.UP and service.get().host.id != before, "vm3 on the other host")


@case
def change():
    service = vm("vm3")
    changed = service.update(types.Vm(description="a & b", comment="<c>", high_availability=types.HighAvailability(enabled=True, priority=50)))
    equal((changed.description, changed.comment, changed.high_availability.enabled, changed.high_availability.priority), ("a & b", "<c>", True, 50))
    equal(vms.list(search='description="a & b"')[0].name, "vm3")
    service.update(types.Vm(high_availability=types.HighAvailability(enabled=False)))
    equal(service.get().high_availability.enabled, False)
    with refused(400):
        service.update(types.Vm(id=ids["vm1"]))


@case
def change_of_a_nic():
    service = vm("vm3")
    nic = service.nics_service().list()[0]
    other = only(system.vnic_profiles_service().list(), name="ovirtmgmt")
    changed = service.nics_service().nic_service(nic.id).update(types.Nic(vnic_profile=types.VnicProfile(id=other.id)))
    equal(changed.vnic_profile.id, other.id)
    service.nics_service().nic_service(nic.id).update(types.Nic(linked=False))
    equal(service.nics_service().list()[0].linked, False)


@case
def delete_is_refused():
    service = vm("vm3")
    with refused(409):
        service.remove()
    service.update(types.Vm(delete_protected=True))
    service.stop()
    wait_for(is_in("vm3", types.VmStatus.DOWN), "vm3 down")
    with refused(409, "Delete protection"):
        service.remove()
    service.update(types.Vm(delete_protected=False))
    service.remove()
    wait_for(lambda: not vms.list(search="name=vm3"), "vm3 gone")


@case
def hosts():
    by_name = {host.name: host for host in system.hosts_service().list()}
    service = system.hosts_service().host_service(by_name["host1b"].id)
    equal(service.fence(fence_type="status").status, types.PowerManagementStatus.ON)
    with refused(409):
        service.fence(fence_type="stop")
    with refused(409):
        service.fence(fence_type="manual")
    with refused(400):
        service.fence(fence_type="nonsense")
    with refused(400, "Fence operation failed"):  # the account that the lab's engines have on the cards may look and not switch
        service.fence(fence_type="restart")


main()
