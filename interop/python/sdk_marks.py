"""What a tool leaves in an engine: events, tags, labels, jobs."""
import ovirtsdk4.types as types

from judge import case, equal, kept, main, only, refused

connection = kept()
system = connection.system_service()
vm1 = only(system.vms_service().list(), name="vm1")
host = system.hosts_service().list()[0]


@case
def events():
    service = system.events_service()
    made = service.add(types.Event(origin="interop", severity=types.LogSeverity.WARNING, custom_id=1, description="half of a & b <done>",
                                   vm=types.Vm(id=vm1.id), correlation_id="interop-event"))
    equal((made.origin, made.custom_id, made.severity, made.description), ("interop", 1, types.LogSeverity.WARNING, "half of a & b <done>"))
    equal([event.id for event in service.list(search="correlation_id=interop-event")], [made.id])
    equal(service.event_service(made.id).get().vm.id, vm1.id)
    equal([event.id for event in service.list(from_=int(made.id) - 1)][-1], made.id)
    service.event_service(made.id).remove()
    equal(service.list(search="correlation_id=interop-event"), [])
    with refused(400):  # the pair of origin and custom id stays taken
        service.add(types.Event(origin="interop", severity=types.LogSeverity.NORMAL, custom_id=1, description="again"))
    with refused(400):
        service.add(types.Event(origin="oVirt", severity=types.LogSeverity.NORMAL, custom_id=2, description="mine"))
    with refused(400, "description"):
        service.add(types.Event(origin="interop", severity=types.LogSeverity.NORMAL, custom_id=3))


@case
def tags():
    service = system.tags_service()
    tag = service.add(types.Tag(name="dr-done", description="by interop"))
    with refused(409, "already exists"):
        service.add(types.Tag(name="dr-done"))
    child = service.add(types.Tag(name="dr-child", parent=types.Tag(id=tag.id)))
    equal(child.parent.id, tag.id)
    mine = system.vms_service().vm_service(vm1.id).tags_service()
    mine.add(types.Tag(name="dr-child"))
    assert "dr-child" in [t.name for t in mine.list()]
    equal([vm.name for vm in system.vms_service().list(search="tag=dr-child")], ["vm1"])
    equal([vm.name for vm in system.vms_service().list(search="tag=dr-done")], ["vm1"])
    mine.tag_service(child.id).remove()
    equal([vm.name for vm in system.vms_service().list(search="tag=dr-child")], [])
    service.tag_service(tag.id).update(types.Tag(name="dr-over"))
    equal(service.tag_service(tag.id).get().name, "dr-over")
    service.tag_service(child.id).remove()
    service.tag_service(tag.id).remove()
    equal(sorted(t.name for t in service.list()), ["gold", "root"])


@case
def labels():
    service = system.affinity_labels_service()
    chosen = "d2000000-0000-4000-8000-000000000001"
    label = service.add(types.AffinityLabel(id=chosen, name="dr-lock"))
    equal((label.id, label.name), (chosen, "dr-lock"))
    with refused(409):
        service.add(types.AffinityLabel(name="dr-lock"))
    with refused(409):
        service.add(types.AffinityLabel(id=chosen, name="dr-other"))
    with refused(400):
        service.add(types.AffinityLabel(name="not a name"))
    mine = service.label_service(chosen)
    mine.vms_service().add(types.Vm(id=vm1.id))
    mine.hosts_service().add(types.Host(id=host.id))
    equal([vm.id for vm in mine.vms_service().list()], [vm1.id])
    equal(sorted(l.name for l in system.vms_service().vm_service(vm1.id).affinity_labels_service().list()), ["dr-lock"])
    with refused(409):  # somebody has it
        mine.remove()
    mine.vms_service().vm_service(vm1.id).remove()
    mine.hosts_service().host_service(host.id).remove()
    mine.remove()
    equal([l.name for l in service.list()], ["licensed"])


@case
def affinity_groups():
    cluster = system.clusters_service().cluster_service(vm1.cluster.id)
    service = cluster.affinity_groups_service()
    group = service.add(types.AffinityGroup(name="apart", priority=3.0, vms_rule=types.AffinityRule(enabled=True, positive=False, enforcing=True)))
    equal((group.vms_rule.positive, group.vms_rule.enforcing, group.priority), (False, True, 3.0))
    mine = service.group_service(group.id)
    mine.vms_service().add(types.Vm(id=vm1.id))
    equal([vm.id for vm in mine.vms_service().list()], [vm1.id])
    mine.vms_service().vm_service(vm1.id).remove()
    equal(mine.vms_service().list(), [])
    mine.remove()
    equal([g.name for g in service.list()], ["together"])


@case
def jobs():
    service = system.jobs_service()
    job = service.add(types.Job(description="Recovery of web", auto_cleared=True), headers={"Correlation-Id": "interop-job"})
    equal((job.status, job.external), (types.JobStatus.STARTED, True))
    mine = service.job_service(job.id)
    step = mine.steps_service().add(types.Step(type=types.StepEnum.EXECUTING, description="attach"))
    inner = mine.steps_service().add(types.Step(type=types.StepEnum.EXECUTING, description="register", parent_step=types.Step(id=step.id)))
    equal(inner.parent_step.id, step.id)
    mine.steps_service().step_service(inner.id).end(succeeded=True)
    mine.steps_service().step_service(step.id).end(succeeded=False)
    followed = only(service.list(search="correlation_id=interop-job", follow="steps"), id=job.id)
    equal({s.description: s.status for s in followed.steps if s.external}, {"attach": types.StepStatus.FAILED, "register": types.StepStatus.FINISHED})
    equal(mine.get().status, types.JobStatus.FAILED)  # with its step
    mine.end(succeeded=True)
    equal(mine.get().status, types.JobStatus.FINISHED)
    mine.clear()
    with refused(400):  # the engine can finish, and tell of, only what is there and open
        service.add(types.Job(auto_cleared=True))


main()
