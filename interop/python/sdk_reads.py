"""Every list and get, every link, with follow and search, read by an SDK that takes offence at what it does not know."""
import inspect

import ovirtsdk4 as sdk

from judge import answered_with_a_page, case, equal, kept, main, only, refused, wait_for
import strict

connection = kept()
system = connection.system_service()


def collections():
    """Each collection below the root that the SDK can list."""
    for name, function in inspect.getmembers(system, inspect.ismethod):
        if name.endswith("_service") and not inspect.signature(function).parameters:
            service = function()
            if hasattr(service, "list"):
                yield name[:-len("_service")], service


def references(thing):
    """Everything with an href in an object, in its parts and in its lists, and the lists themselves."""
    if isinstance(thing, sdk.List) and thing.href:
        yield thing
    if isinstance(thing, list):
        for member in thing:
            yield from references(member)
    elif isinstance(thing, sdk.Struct):
        if thing.href:
            yield thing
        for value in vars(thing).values():
            if isinstance(value, (list, sdk.Struct)):
                yield from references(value)


@case
def every_collection():
    bad, empty, objects = [], [], 0
    for name, service in collections():
        try:
            found = service.list()
            objects += len(found)
            if not found:
                empty.append(name)
        except sdk.Error as error:
            bad.append("%s: %s" % (name, error))
    print("  %d objects; empty: %s" % (objects, " ".join(empty)))
    equal(bad, [])


@case
def every_href():
    todo = [service.list() for _, service in collections()]
    seen, bad = set(), []
    while todo:
        for reference in references(todo.pop()):
            kind = "list" if isinstance(reference, sdk.List) else type(reference).__name__
            if (reference.href, kind) in seen:
                continue
            seen.add((reference.href, kind))
            try:
                answer = connection.follow_link(reference)
            except sdk.Error as error:
                bad.append("%s: %s" % (reference.href, error))
                continue
            if kind != "list":
                if type(answer) is not type(reference):
                    bad.append("%s is %s, not %s" % (reference.href, type(answer).__name__, kind))
                elif answer.id != reference.id or answer.href != reference.href:
                    bad.append("%s calls itself %s, %s" % (reference.href, answer.href, answer.id))
            todo.append(answer)
    print("  %d references followed" % len(seen))
    equal(bad, [])
    assert len(seen) > 400, len(seen)


# Searches: what an administrator may ask, and what the role and the modules of the collection ask, each with the names that it finds.
# What the engine cannot parse finds nothing, with 200; so does a word that only looks like a field.
searches = (
    ("vms", "name=vm1", "vm1"), ("vms", 'name="VM1"', "vm1"), ("vms", "name=vm*", "vm1 vm2 vm3 vm4"), ("vms", "status = up", "vm1 vm2 vm3"),
    ("vms", "status = down", "vm4"), ("vms", "status != down and storage.name=nfs_ds and datacenter=Default\n", "vm1 vm3"),
    ("vms", "storage.name=nfs_ds2 sortby name desc", "vm4 vm2"), ("vms", "tag=gold", "vm1"), ("vms", "cluster=Prod and name=vm2", "vm2"),
    ("vms", "hosts.name=host1a", None), ("vms", "( name=vm1 )", ""), ("vms", "name=vm1 or name=vm4", "vm1 vm4"), ("vms", "name='vm1'", ""),
    ("vms", "vm2", "vm2"), ("hosts", "status=up", "host1a host1b"), ("hosts", "status=up and datacenter=Default", "host1a host1b"),
    ("hosts", "status=non_responsive", ""), ("hosts", 'name="host1a"', "host1a"), ("clusters", "name=Prod", "Prod"),
    ("clusters", "architecture=x86_64", "Prod"), ("data_centers", 'name="Default"', "Default"), ("data_centers", "status=up", "Default"),
    ("storage_domains", "status=active", "nfs_ds nfs_ds2"), ("storage_domains", "type != glance", "nfs_ds nfs_ds2"),
    ("storage_domains", "name=nfs_ds2 and type != glance and type != cinder and status != active", ""),
    ("storage_domains", "name=nfs_ds and ( datacenter=Default and status = active )", ""),
    ("storage_domains", "status = active and storage.name=nfs_ds", ""), ("templates", "name=rhel9 and datacenter=Default", "rhel9"),
    ("templates", "vm.name=vm1", None), ("disks", "alias=vm1_Disk1", "vm1_Disk1"), ("disks", "disk_type = lun and number_of_vms =0", ""),
    ("networks", "name=lan", "lan"), ("users", "name=Ann", None),
)


@case
def search():
    for name, expression, want in searches:
        found = [thing.name for thing in getattr(system, name + "_service")().list(search=expression)]
        if want is not None:
            ordered = "sortby" in expression
            equal(found if ordered else sorted(found), want.split(), "%s: %s" % (name, expression))


@case
def search_of_events_and_jobs():
    events = system.events_service()
    newest = events.list(max=1)
    equal(len(newest), 1)
    assert newest[0].index == int(newest[0].id), "no index"
    equal(events.list(from_=newest[0].index), [])
    logins = events.list(search="type=30")
    assert logins and all(event.code == 30 for event in logins), "no login among the events"
    equal([event.id for event in logins], sorted((event.id for event in logins), key=int, reverse=True))
    equal(system.jobs_service().list(search="correlation_id=nobody"), [])


@case
def search_that_reaches_the_database():
    """What parses, and is nothing for the database, is refused."""
    for name, expression in ("vms", "id=nonsense"), ("jobs", "anything"):
        with refused(400):
            getattr(system, name + "_service")().list(search=expression)


@case
def pages_and_case():
    vms = system.vms_service()
    pages = [[vm.name for vm in vms.list(search="sortby name asc page %d" % n, max=3)] for n in (1, 2, 3)]
    equal(pages, [["vm1", "vm2", "vm3"], ["vm4"], []])
    equal(vms.list(search="sortby name page 1", max=3), [])  # a page needs the direction before it (ovirt-engine SyntaxChecker)
    equal(len(vms.list(max=2)), 2)
    equal(vms.list(search="name=VM1", case_sensitive=True), [])


@case
def follow():
    vm = only(system.vms_service().list(search="name=vm1", follow="nics.vnic_profile.network,disk_attachments.disk,snapshots,cluster.data_center,template,tags,affinity_labels"), name="vm1")
    equal((vm.nics[0].vnic_profile.name, vm.nics[0].vnic_profile.network.name), ("lan", "lan"))
    equal((vm.disk_attachments[0].disk.alias, vm.snapshots[0].description), ("vm1_Disk1", "Active VM"))
    equal((vm.cluster.name, vm.cluster.data_center.name, vm.template.name), ("Prod", "Default", "rhel9"))
    equal([tag.name for tag in vm.tags], ["gold"])
    dc = system.data_centers_service().list(follow="storage_domains,clusters.networks")[0]
    equal(sorted(domain.name for domain in dc.storage_domains), ["nfs_ds", "nfs_ds2"])
    equal(sorted(network.name for network in dc.clusters[0].networks), ["lan", "ovirtmgmt"])
    equal(len(system.vms_service().list(follow="")), 4)
    service = system.vms_service().vm_service(vm.id)
    equal(service.get(follow="nics").nics[0].mac.address, service.nics_service().list()[0].mac.address)


@case
def follow_of_nothing():
    """A link that is none is an error inside the engine (ovirt-engine LinkFollower)."""
    with answered_with_a_page():
        system.vms_service().list(follow="no_such_link")


@case
def all_content():
    vm = system.vms_service().list(search="name=vm1", all_content=True)[0]
    assert "<Name>vm1</Name>" in vm.initialization.configuration.data, "no OVF"
    equal(vm.initialization.configuration.type.value, "ovf")
    equal(system.vms_service().list(search="name=vm1")[0].initialization, None)


@case
def inventory_of_storage():
    dc = system.data_centers_service().list()[0]
    attached = system.data_centers_service().data_center_service(dc.id).storage_domains_service().list()
    nfs, iscsi = only(attached, name="nfs_ds"), only(attached, name="nfs_ds2")
    equal((nfs.status.value, nfs.master, nfs.storage.type.value, nfs.storage.path), ("active", True, "nfs", "/nfs_ds"))
    units = iscsi.storage.volume_group.logical_units
    equal(sorted({unit.port for unit in units}), [3260])
    equal({unit.target for unit in units}, {"iqn.2003-01.org.linux-iscsi.primary:nfs-ds2"})
    for domain in system.storage_domains_service().list():
        equal(domain.status, None, "status of the attached domain %s in the global list" % domain.name)
        equal([center.id for center in domain.data_centers], [dc.id])
    host = system.hosts_service().list(search="status=up")[0]
    storage = system.hosts_service().host_service(host.id).storage_service()
    luns = [entry.logical_units[0].id for entry in storage.list() if entry.type.value == "iscsi"]
    equal(set(luns), {unit.id for unit in units})
    equal([entry.id for entry in storage.list(report_status=False)], [entry.id for entry in storage.list()])


@case
def inventory_of_the_rest():
    dc = system.data_centers_service().list()[0]
    center = system.data_centers_service().data_center_service(dc.id)
    cluster = center.clusters_service().list()[0]
    for service in center.clusters_service().cluster_service(cluster.id), system.clusters_service().cluster_service(cluster.id):
        group = only(service.affinity_groups_service().list(), name="together")
        equal(len(group.vms), 2)
    label = only(system.affinity_labels_service().list(follow="vms,hosts"), name="licensed")
    equal((len(label.vms), len(label.hosts)), (1, 2))
    equal({domain.name for domain in system.domains_service().list()}, {"internal-authz", "example-authz"})
    equal(only(system.users_service().list(), principal="ann").domain.name, "example-authz")
    assert only(system.mac_pools_service().list(), name="Default").ranges, "no ranges"
    equal({quota.name for quota in center.quotas_service().list()}, {"Default", "small"})
    host = system.hosts_service().list()[0]
    equal(only(system.hosts_service().host_service(host.id).fence_agents_service().list(), type="ipmilan").password, None)
    profile = only(system.vnic_profiles_service().list(), name="lan")
    equal((profile.network.name, only(system.networks_service().list(), name="lan").id), (None, profile.network.id))
    vm = system.vms_service().vm_service(system.vms_service().list(search="name=vm1")[0].id)
    assert wait_for(lambda: [ip.address for device in vm.reported_devices_service().list() for ip in device.ips or []], "addresses of the guest")
    equal([permission.role.id for permission in system.vms_service().vm_service(only(system.vms_service().list(), name="vm2").id).permissions_service().list()
           if permission.user and permission.user.id == only(system.users_service().list(), principal="ann").id], [only(system.roles_service().list(), name="Starter").id])


@case
def absent_objects():
    nothing = "12345678-0000-4000-8000-000000000000"
    for service in (system.vms_service().vm_service(nothing), system.hosts_service().host_service(nothing), system.storage_domains_service().storage_domain_service(nothing),
                    system.data_centers_service().data_center_service("Default"), system.clusters_service().cluster_service(nothing),
                    system.templates_service().template_service(nothing), system.disks_service().disk_service(nothing)):
        try:
            service.get()
        except sdk.NotFoundError:
            continue
        raise AssertionError("%s found something" % type(service).__name__)


@case
def nothing_that_the_sdk_does_not_know():
    equal(sorted(strict.unknown), [])


main()
