//go:build interop

package interop

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	ovirtsdk4 "github.com/ovirt/go-ovirt"

	"drrun/ovirt/lab"
)

// goClient is go-ovirt on a connection of its own to one site.
type goClient struct {
	*ovirtsdk4.Connection
	system *ovirtsdk4.SystemService
}

// dial opens a connection of go-ovirt with the CA and account of a site.
func (r *running) dial(t *testing.T, site int, password string) goClient {
	t.Helper()
	ca, err := os.ReadFile(filepath.Join(r.dir, r.world.Sites[site].Name+"-ca.pem"))
	if err != nil {
		t.Fatal(err)
	}
	c, err := ovirtsdk4.NewConnectionBuilder().URL([]string{r.server.PrimaryURL, r.server.SecondaryURL}[site]).
		Username(r.world.Sites[site].Username).Password(password).CACert(ca).Timeout(time.Minute).Compress(true).Build()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return goClient{c, c.SystemService()}
}

// sent sends a request that must succeed.
func sent[R any](t *testing.T, send func() (R, error)) R {
	t.Helper()
	answer, err := send()
	if err != nil {
		t.Fatal(err)
	}
	return answer
}

// refused sends a request that the engine must refuse with these words, the HTTP status among them.
func refused[R any](t *testing.T, send func() (R, error), words ...string) {
	t.Helper()
	_, err := send()
	if err == nil {
		t.Error("the engine did not refuse")
		return
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("the refusal does not say %q: %v", w, err)
		}
	}
}

// eventually waits until a question is answered with yes.
func (r *running) eventually(t *testing.T, what string, question func() bool) {
	t.Helper()
	for range 600 {
		if question() {
			return
		}
		time.Sleep(time.Duration(float64(time.Second) / r.speed))
	}
	t.Fatalf("still not: %s", what)
}

func want[T any](t *testing.T, what string, got, expected T) {
	t.Helper()
	if !reflect.DeepEqual(got, expected) {
		t.Errorf("%s: got %v, want %v", what, got, expected)
	}
}

// TestGoOvirt takes go-ovirt, with its own HTTP, through the calls that recovery needs. Its known weaknesses are left out: fence
// other than status panics, answered or not.
func TestGoOvirt(t *testing.T) {
	t.Parallel()
	r := serve(t, sdkWorld(), 60)
	passed := 0
	run := func(name string, f func(t *testing.T)) {
		t.Helper()
		if t.Run(name, f) {
			passed++
		}
	}
	run("connection", r.goConnection)
	run("inventory", r.goInventory)
	run("marks", r.goMarks)
	run("VMs and hosts", r.goVMs)
	run("recovery", r.goRecovery)
	run("clean-up", r.goCleanUp)
	if t.Failed() {
		t.Logf("the lab's log:\n%s", r.trace())
	}
	counted("go-ovirt", r)
	count("go-ovirt: %d cases of 6", passed)
}

func (r *running) goConnection(t *testing.T) {
	c := r.dial(t, 0, r.world.Sites[0].Password)
	if err := c.Test(); err != nil {
		t.Fatal(err)
	}
	api := sent(t, c.system.Get().Send).MustApi()
	want(t, "instance id", api.MustProductInfo().MustInstanceId(), r.world.Sites[0].InstanceID)
	want(t, "major", api.MustProductInfo().MustVersion().MustMajor(), 4)
	err := r.dial(t, 0, "wrong").Test()
	var auth *ovirtsdk4.AuthError
	if !errors.As(err, &auth) || !strings.Contains(err.Error(), "access_denied") {
		t.Errorf("a wrong password: %T %v", err, err)
	}
	ca, readErr := os.ReadFile(filepath.Join(r.dir, "secondary-ca.pem"))
	if readErr != nil {
		t.Fatal(readErr)
	}
	other, err := ovirtsdk4.NewConnectionBuilder().URL(r.server.PrimaryURL).Username("a@b").Password("c").CACert(ca).Build()
	if err != nil {
		t.Fatal(err)
	}
	if err := other.Test(); err == nil || !strings.Contains(err.Error(), "certificate") {
		t.Errorf("a wrong CA: %v", err)
	}
	unchecked, err := ovirtsdk4.NewConnectionBuilder().URL(r.server.PrimaryURL).Username(r.world.Sites[0].Username).Password(r.world.Sites[0].Password).Insecure(true).Build()
	if err != nil {
		t.Fatal(err)
	}
	if err := unchecked.Test(); err != nil {
		t.Errorf("insecure: %v", err)
	}
	// A token that the engine has forgotten: 401 with a page, which go-ovirt cannot read, again and again.
	r.ExpireTokens("primary")
	for range 2 {
		if _, err := c.system.VmsService().List().Send(); err == nil || !strings.Contains(err.Error(), "<html>") {
			t.Errorf("a forgotten token: %v", err)
		}
	}
}

// goInventory reads every collection, by every link that go-ovirt keeps, and with search and follow.
func (r *running) goInventory(t *testing.T) {
	c := r.dial(t, 0, r.world.Sites[0].Password)
	s := c.system
	dc := sent(t, s.DataCentersService().List().Search(`name="Default"`).Send).MustDataCenters().Slice()[0]
	center := s.DataCentersService().DataCenterService(dc.MustId())
	want(t, "data center", sent(t, center.Get().Send).MustDataCenter().MustStatus(), ovirtsdk4.DATACENTERSTATUS_UP)
	for _, d := range sent(t, center.StorageDomainsService().List().Send).MustStorageDomains().Slice() {
		want(t, d.MustName(), d.MustStatus(), ovirtsdk4.STORAGEDOMAINSTATUS_ACTIVE)
	}
	for _, d := range sent(t, s.StorageDomainsService().List().Search("type != glance").Send).MustStorageDomains().Slice() {
		if status, has := d.Status(); has {
			t.Errorf("storage domain %s has the status %s in the global list", d.MustName(), status)
		}
	}
	cluster := sent(t, center.ClustersService().List().Send).MustClusters().Slice()[0]
	want(t, "clusters", len(sent(t, s.ClustersService().List().Search("name=Prod").Send).MustClusters().Slice()), 1)
	groups := sent(t, s.ClustersService().ClusterService(cluster.MustId()).AffinityGroupsService().List().Send).MustGroups().Slice()
	want(t, "affinity group", groups[0].MustName(), "together")
	hosts := sent(t, s.HostsService().List().Search("status=up").Send).MustHosts().Slice()
	want(t, "hosts", len(hosts), 2)
	host := s.HostsService().HostService(hosts[0].MustId())
	kinds := map[ovirtsdk4.StorageType]bool{}
	for _, entry := range sent(t, host.StorageService().List().Send).MustStorages().Slice() {
		kinds[entry.MustType()] = true
	}
	want(t, "storage of a host", kinds, map[ovirtsdk4.StorageType]bool{ovirtsdk4.STORAGETYPE_ISCSI: true, ovirtsdk4.STORAGETYPE_FCP: true})
	want(t, "fence agents", sent(t, host.FenceAgentsService().List().Send).MustAgents().Slice()[0].MustType(), "ipmilan")
	vms := sent(t, s.VmsService().List().Search("name=vm*").CaseSensitive(false).Follow("nics.vnic_profile,disk_attachments.disk,snapshots").Send).MustVms().Slice()
	want(t, "VMs", len(vms), 4)
	want(t, "profile", vms[0].MustNics().Slice()[0].MustVnicProfile().MustName(), "lan")
	want(t, "alias", vms[0].MustDiskAttachments().Slice()[0].MustDisk().MustAlias(), "vm1_Disk1")
	want(t, "max", len(sent(t, s.VmsService().List().Max(2).Send).MustVms().Slice()), 2)
	vm := s.VmsService().VmService(vms[0].MustId())
	if ovf := sent(t, vm.Get().AllContent(true).Send).MustVm().MustInitialization().MustConfiguration().MustData(); !strings.Contains(ovf, "<Name>vm1</Name>") {
		t.Errorf("the OVF does not name the VM: %s", ovf)
	}
	want(t, "NICs", len(sent(t, vm.NicsService().List().Send).MustNics().Slice()), 1)
	want(t, "disks", len(sent(t, vm.DiskAttachmentsService().List().Send).MustAttachments().Slice()), 1)
	want(t, "snapshots", len(sent(t, vm.SnapshotsService().List().Send).MustSnapshots().Slice()), 1)
	_ = sent(t, vm.CdromsService().List().Send)
	_ = sent(t, vm.GraphicsConsolesService().List().Send)
	_ = sent(t, vm.ReportedDevicesService().List().Send)
	want(t, "direct LUNs", len(sent(t, s.DisksService().List().Search("disk_type = lun").Send).MustDisks().Slice()), 1)
	want(t, "templates", len(sent(t, s.TemplatesService().List().Search("name=rhel9").Send).MustTemplates().Slice()), 1)
	want(t, "labels", len(sent(t, s.AffinityLabelsService().List().Send).MustLabels().Slice()), 1)
	want(t, "directories", len(sent(t, s.DomainsService().List().Send).MustDomains().Slice()), 2)
	want(t, "networks", len(sent(t, s.NetworksService().List().Send).MustNetworks().Slice()), 2)
	want(t, "MAC pools", len(sent(t, s.MacPoolsService().List().Send).MustPools().Slice()), 1)
	if n := len(sent(t, s.RolesService().List().Send).MustRoles().Slice()); n < 10 {
		t.Errorf("%d roles", n)
	}
	want(t, "users", len(sent(t, s.UsersService().List().Send).MustUsers().Slice()), 2)
	want(t, "quotas", len(sent(t, center.QuotasService().List().Send).MustQuotas().Slice()), 2)
	newest := sent(t, s.EventsService().List().Max(1).Send).MustEvents().Slice()
	want(t, "newest event", len(newest), 1)
	want(t, "newer events", len(sent(t, s.EventsService().List().From(newest[0].MustIndex()).Send).MustEvents().Slice()), 0)
	// What does not parse finds nothing.
	want(t, "parentheses", len(sent(t, s.StorageDomainsService().List().Search("name=nfs_ds and ( status = active )").Send).MustStorageDomains().Slice()), 0)
	profile := sent(t, s.VnicProfilesService().List().Send).MustProfiles().Slice()[0]
	network, err := c.FollowLink(profile.MustNetwork())
	if err != nil {
		t.Fatal(err)
	}
	if n, ok := network.(*ovirtsdk4.Network); !ok || n.MustId() != profile.MustNetwork().MustId() {
		t.Errorf("the network of a profile is %T", network)
	}
	var missing *ovirtsdk4.NotFoundError
	if _, err := s.VmsService().VmService(lab.ID("no VM")).Get().Send(); !errors.As(err, &missing) {
		t.Errorf("an absent VM: %T %v", err, err)
	}
}

func (r *running) goMarks(t *testing.T) {
	s := r.dial(t, 0, r.world.Sites[0].Password).system
	vm1 := r.world.Sites[0].VMs[0].ID
	event := func() *ovirtsdk4.EventsServiceAddRequest {
		return s.EventsService().Add().Event(ovirtsdk4.NewEventBuilder().Origin("interop-go").CustomId(7).CorrelationId("interop-go").
			Severity(ovirtsdk4.LOGSEVERITY_NORMAL).Description("half done").Vm(ovirtsdk4.NewVmBuilder().Id(vm1).MustBuild()).MustBuild())
	}
	made := sent(t, event().Send).MustEvent()
	found := sent(t, s.EventsService().List().Search("correlation_id=interop-go").Send).MustEvents().Slice()
	if len(found) != 1 || found[0].MustId() != made.MustId() {
		t.Errorf("the event is not found: %d", len(found))
	}
	refused(t, event().Send, "400")
	_ = sent(t, s.EventsService().EventService(made.MustId()).Remove().Send)

	label := ovirtsdk4.NewAffinityLabelBuilder().Id(lab.ID("go label")).Name("go-lock").MustBuild()
	want(t, "label", sent(t, s.AffinityLabelsService().Add().Label(label).Send).MustLabel().MustId(), lab.ID("go label"))
	refused(t, s.AffinityLabelsService().Add().Label(label).Send, "409")
	_ = sent(t, s.AffinityLabelsService().LabelService(lab.ID("go label")).VmsService().Add().Vm(ovirtsdk4.NewVmBuilder().Id(vm1).MustBuild()).Send)
	refused(t, s.AffinityLabelsService().LabelService(lab.ID("go label")).Remove().Send, "409")
	_ = sent(t, s.AffinityLabelsService().LabelService(lab.ID("go label")).VmsService().VmService(vm1).Remove().Send)
	_ = sent(t, s.AffinityLabelsService().LabelService(lab.ID("go label")).Remove().Send)

	cluster := s.ClustersService().ClusterService(r.world.Sites[0].Clusters[0].ID).AffinityGroupsService()
	group := sent(t, cluster.Add().Group(ovirtsdk4.NewAffinityGroupBuilder().Name("go").
		VmsRule(ovirtsdk4.NewAffinityRuleBuilder().Enabled(true).Positive(false).MustBuild()).MustBuild()).Send).MustGroup()
	_ = sent(t, cluster.GroupService(group.MustId()).VmsService().Add().Vm(ovirtsdk4.NewVmBuilder().Id(vm1).MustBuild()).Send)
	want(t, "members", len(sent(t, cluster.GroupService(group.MustId()).VmsService().List().Send).MustVms().Slice()), 1)
	_ = sent(t, cluster.GroupService(group.MustId()).Remove().Send)

	tag := sent(t, s.TagsService().Add().Tag(ovirtsdk4.NewTagBuilder().Name("go-done").MustBuild()).Send).MustTag()
	_ = sent(t, s.VmsService().VmService(vm1).TagsService().Add().Tag(ovirtsdk4.NewTagBuilder().Name("go-done").MustBuild()).Send)
	want(t, "tagged", len(sent(t, s.VmsService().List().Search("tag=go-done").Send).MustVms().Slice()), 1)
	_ = sent(t, s.TagsService().TagService(tag.MustId()).Remove().Send)

	job := sent(t, s.JobsService().Add().Header("Correlation-Id", "interop-go-job").Job(ovirtsdk4.NewJobBuilder().Description("a recovery").AutoCleared(true).MustBuild()).Send).MustJob()
	jobs := s.JobsService().JobService(job.MustId())
	step := sent(t, jobs.StepsService().Add().Step(ovirtsdk4.NewStepBuilder().Type(ovirtsdk4.STEPENUM_EXECUTING).Description("attach").MustBuild()).Send).MustStep()
	_ = sent(t, jobs.StepsService().StepService(step.MustId()).End().Succeeded(true).Send)
	_ = sent(t, jobs.End().Succeeded(false).Send)
	found2 := sent(t, s.JobsService().List().Search("correlation_id=interop-go-job").Send).MustJobs().Slice()
	if len(found2) != 1 || found2[0].MustStatus() != ovirtsdk4.JOBSTATUS_FAILED {
		t.Errorf("the job is not found as failed: %d", len(found2))
	}
	_ = sent(t, jobs.Clear().Send)
}

func (r *running) goVMs(t *testing.T) {
	s := r.dial(t, 0, r.world.Sites[0].Password).system
	vm := s.VmsService().VmService(r.world.Sites[0].VMs[3].ID)
	is := func(status ovirtsdk4.VmStatus) func() bool {
		return func() bool { return sent(t, vm.Get().Send).MustVm().MustStatus() == status }
	}
	_ = sent(t, vm.Start().Send)
	refused(t, vm.Start().Send, "409")
	r.eventually(t, "vm4 up", is(ovirtsdk4.VMSTATUS_UP))
	changed := sent(t, vm.Update().Vm(ovirtsdk4.NewVmBuilder().Comment("by go").HighAvailability(ovirtsdk4.NewHighAvailabilityBuilder().Enabled(true).MustBuild()).MustBuild()).Send).MustVm()
	want(t, "comment", changed.MustComment(), "by go")
	nic := sent(t, vm.NicsService().List().Send).MustNics().Slice()[0]
	_ = sent(t, vm.NicsService().NicService(nic.MustId()).Update().Nic(ovirtsdk4.NewNicBuilder().Linked(false).MustBuild()).Send)
	want(t, "linked", sent(t, vm.NicsService().NicService(nic.MustId()).Get().Send).MustNic().MustLinked(), false)
	_ = sent(t, vm.Shutdown().Reason("interop").Send)
	r.eventually(t, "vm4 down", is(ovirtsdk4.VMSTATUS_DOWN))
	_ = sent(t, vm.Start().Send)
	r.eventually(t, "vm4 up", is(ovirtsdk4.VMSTATUS_UP))
	_ = sent(t, vm.Stop().Send)
	r.eventually(t, "vm4 down", is(ovirtsdk4.VMSTATUS_DOWN))
	host := s.HostsService().HostService(r.world.Sites[0].Hosts[0].ID)
	want(t, "power", sent(t, host.Fence().FenceType("status").Send).MustPowerManagement().MustStatus(), ovirtsdk4.POWERMANAGEMENTSTATUS_ON)
	refused(t, host.Fence().FenceType("stop").Send, "409")
}

// goRecovery loses the primary site and takes its storage domains and VMs in at the secondary one.
func (r *running) goRecovery(t *testing.T) {
	primary := r.dial(t, 0, r.world.Sites[0].Password).system
	for _, d := range r.world.Sites[0].StorageDomains {
		_ = sent(t, primary.StorageDomainsService().StorageDomainService(d.ID).UpdateOvfStore().Send)
	}
	r.eventually(t, "OVF stores written", func() bool {
		n := 0
		for _, e := range sent(t, primary.EventsService().List().Max(40).Send).MustEvents().Slice() {
			if code := e.MustCode(); code == 199 || code == 1052 {
				n++
			}
		}
		return n >= 2
	})
	for _, pair := range r.world.Replications {
		if err := r.Replicate(pair.Domain); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.Disaster("primary"); err != nil {
		t.Fatal(err)
	}
	for _, pair := range r.world.Replications {
		if err := r.Promote(pair.Domain); err != nil {
			t.Fatal(err)
		}
	}
	s := r.dial(t, 1, r.world.Sites[1].Password).system
	hostID, dcID := r.world.Sites[1].Hosts[0].ID, r.world.Sites[1].DataCenters[0].ID
	host := ovirtsdk4.NewHostBuilder().Id(hostID).MustBuild()
	attached := s.DataCentersService().DataCenterService(dcID).StorageDomainsService()
	nfs, iscsi := r.world.Sites[0].StorageDomains[0], r.world.Sites[0].StorageDomains[1]

	file := func(id string) *ovirtsdk4.StorageDomainsServiceAddRequest {
		return s.StorageDomainsService().Add().StorageDomain(ovirtsdk4.NewStorageDomainBuilder().Id(id).Type(ovirtsdk4.STORAGEDOMAINTYPE_DATA).Host(host).
			Storage(ovirtsdk4.NewHostStorageBuilder().Type(ovirtsdk4.STORAGETYPE_NFS).Address(r.world.Exports[1].Address).Path(r.world.Exports[1].Path).MustBuild()).MustBuild())
	}
	refused(t, file(lab.ID("another")).Send, "500")
	want(t, "imported", sent(t, file(nfs.ID).Send).MustStorageDomain().MustName(), nfs.Name)
	domain := s.StorageDomainsService().StorageDomainService(nfs.ID)
	want(t, "attached elsewhere", sent(t, domain.IsAttached().Host(host).Send).MustIsAttached(), true)

	service := s.HostsService().HostService(hostID)
	portal := ovirtsdk4.NewIscsiDetailsBuilder().Address("192.168.122.221").Port(3260)
	targets := sent(t, service.IscsiDiscover().Iscsi(portal.MustBuild()).Send).MustIscsiTargets()
	_ = sent(t, service.IscsiLogin().Iscsi(portal.Target(targets[0]).MustBuild()).Send)
	want(t, "imported", sent(t, s.StorageDomainsService().Add().StorageDomain(ovirtsdk4.NewStorageDomainBuilder().Id(iscsi.ID).Type(ovirtsdk4.STORAGEDOMAINTYPE_DATA).Import(true).
		Host(host).Storage(ovirtsdk4.NewHostStorageBuilder().Type(ovirtsdk4.STORAGETYPE_ISCSI).MustBuild()).MustBuild()).Send).MustStorageDomain().MustId(), iscsi.ID)
	for _, d := range []lab.StorageDomain{nfs, iscsi} {
		_ = sent(t, attached.Add().StorageDomain(ovirtsdk4.NewStorageDomainBuilder().Id(d.ID).MustBuild()).Send)
		want(t, d.Name, sent(t, attached.StorageDomainService(d.ID).Get().Send).MustStorageDomain().MustStatus(), ovirtsdk4.STORAGEDOMAINSTATUS_ACTIVE)
	}
	templates := sent(t, domain.TemplatesService().List().Unregistered(true).Send).MustTemplates().Slice()
	cluster := ovirtsdk4.NewClusterBuilder().Name("Recovery").MustBuild()
	_ = sent(t, domain.TemplatesService().TemplateService(templates[0].MustId()).Register().Cluster(cluster).Send)
	r.eventually(t, "template", func() bool {
		return sent(t, s.TemplatesService().TemplateService(templates[0].MustId()).Get().Send).MustTemplate().MustStatus() == ovirtsdk4.TEMPLATESTATUS_OK
	})
	clusters := ovirtsdk4.NewRegistrationConfigurationBuilder().ClusterMappingsOfAny(ovirtsdk4.NewRegistrationClusterMappingBuilder().
		From(ovirtsdk4.NewClusterBuilder().Name("Prod").MustBuild()).To(cluster).MustBuild()).MustBuild()
	for _, d := range []lab.StorageDomain{nfs, iscsi} {
		list := s.StorageDomainsService().StorageDomainService(d.ID).VmsService()
		for _, v := range sent(t, list.List().Unregistered(true).Send).MustVm().Slice() {
			register := list.VmService(v.MustId()).Register().RegistrationConfiguration(clusters).ReassignBadMacs(true).AllowPartialImport(true)
			_ = sent(t, register.Send)
			refused(t, register.Send, "4")
			_ = sent(t, s.VmsService().VmService(v.MustId()).Start().Send)
		}
	}
	r.eventually(t, "all VMs up", func() bool {
		return len(sent(t, s.VmsService().List().Search("status = up").Send).MustVms().Slice()) == len(r.world.Sites[0].VMs)
	})
}

// goCleanUp takes the storage domains away again.
func (r *running) goCleanUp(t *testing.T) {
	s := r.dial(t, 1, r.world.Sites[1].Password).system
	center := s.DataCentersService().DataCenterService(r.world.Sites[1].DataCenters[0].ID)
	nfs, iscsi := r.world.Sites[0].StorageDomains[0], r.world.Sites[0].StorageDomains[1]
	attached := func(d lab.StorageDomain) *ovirtsdk4.AttachedStorageDomainService {
		return center.StorageDomainsService().StorageDomainService(d.ID)
	}
	_ = sent(t, center.SetMaster().StorageDomain(ovirtsdk4.NewStorageDomainBuilder().Id(nfs.ID).MustBuild()).Send)
	r.eventually(t, "another master", func() bool { return sent(t, attached(nfs).Get().Send).MustStorageDomain().MustMaster() })
	_ = sent(t, center.CleanFinishedTasks().Send)
	refused(t, attached(iscsi).Deactivate().Send, "409", "VMs in a state other than")
	for _, v := range sent(t, s.VmsService().List().Search("status = up").Send).MustVms().Slice() {
		_ = sent(t, s.VmsService().VmService(v.MustId()).Stop().Send)
	}
	r.eventually(t, "all VMs down", func() bool {
		return len(sent(t, s.VmsService().List().Search("status = down").Send).MustVms().Slice()) == len(r.world.Sites[0].VMs)
	})
	renamed := sent(t, s.StorageDomainsService().StorageDomainService(iscsi.ID).Update().StorageDomain(ovirtsdk4.NewStorageDomainBuilder().Comment("leaving").MustBuild()).Send)
	want(t, "comment", renamed.MustStorageDomain().MustComment(), "leaving")
	for _, d := range []lab.StorageDomain{iscsi, nfs} {
		r.eventually(t, d.Name+" deactivated", func() bool {
			_, err := attached(d).Deactivate().Force(false).Send()
			return err == nil
		})
		r.eventually(t, d.Name+" in maintenance", func() bool {
			return sent(t, attached(d).Get().Send).MustStorageDomain().MustStatus() == ovirtsdk4.STORAGEDOMAINSTATUS_MAINTENANCE
		})
		if d.Name == iscsi.Name {
			_ = sent(t, attached(d).Activate().Send)
			r.eventually(t, d.Name+" active", func() bool {
				return sent(t, attached(d).Get().Send).MustStorageDomain().MustStatus() == ovirtsdk4.STORAGEDOMAINSTATUS_ACTIVE
			})
			_ = sent(t, attached(d).Deactivate().Send)
			r.eventually(t, d.Name+" in maintenance", func() bool {
				return sent(t, attached(d).Get().Send).MustStorageDomain().MustStatus() == ovirtsdk4.STORAGEDOMAINSTATUS_MAINTENANCE
			})
		}
		_ = sent(t, attached(d).Remove().Send)
	}
	_ = sent(t, s.StorageDomainsService().StorageDomainService(iscsi.ID).Remove().Host(r.world.Sites[1].Hosts[0].ID).Format(false).Send)
	_ = sent(t, s.StorageDomainsService().StorageDomainService(nfs.ID).Remove().Destroy(true).Send)
	names := func() (list []string) {
		for _, d := range sent(t, s.StorageDomainsService().List().Send).MustStorageDomains().Slice() {
			list = append(list, d.MustName())
		}
		return list
	}()
	if slices.Contains(names, nfs.Name) || slices.Contains(names, iscsi.Name) {
		t.Errorf("storage domains are left: %v", names)
	}
}
