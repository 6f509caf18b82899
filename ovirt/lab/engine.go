package lab

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// engine is one oVirt engine: its database, its sessions, and whether it answers.
type engine struct {
	lab  *Lab
	spec Site
	name string
	admin

	answers  bool          // the engine process runs and can be reached
	disaster bool          // the site has no power: hosts and array are off too
	dead     chan struct{} // closed when the engine stops to answer
	tokens   map[string]*token
	cookies  map[string]*token // sessions that persist, by cookie

	dcs         []*dataCenter
	clusters    []*cluster
	pools       []*macPool
	hosts       []*host
	networks    []*Network
	profiles    []*VNICProfile
	connections []*connection
	domains     []*storageDomain
	templates   []*template
	vms         []*vm // by name, as the engine lists them
	vmByID      map[string]*vm
	disks       []*disk
	diskByID    map[string]*disk
	events      []*event // by id
	lastEvent   int
	jobs        []*job
	creations   []*creation
	certs       *authority
	locked      map[string]bool // in-memory engine locks, by "KIND:value"
	registering *resource
	digests     map[string]string // see digest
	started     time.Time         // of the process; zero at the start of the world
}

type dataCenter struct {
	DataCenter
	status string
	spm    *host
	work   *resource // what the SPM does
	busy   bool      // the pool lock: initialisation

	electing             bool  // no host is the SPM; one is looked for, or starts as it
	contender, preferred *host // the one that starts; whom somebody asked for
}

type cluster struct {
	Cluster
	dc    *dataCenter
	pool  *macPool
	sched *resource
}

type macPool struct {
	MACPool
}

type host struct {
	Host
	agents      []*FenceAgent
	cluster     *cluster
	status      string
	powered     bool // as its BMC tells
	alive       bool // runs; since power came back it has booted
	isolated    bool // runs, and its engine does not hear of it
	bmcSilent   bool
	blind       map[string]bool // exports that a fault took from it
	site        string
	spmPriority *int      // nil: the default
	sessions    []session // iSCSI logins that somebody asked for
	external    string    // external_status, as somebody's own tool set it; "" means ok
	comment     string
	booted      time.Time
	seq         int                  // counts outages, so that a late transition of an older one is recognised
	lost        bool                 // it lost its power since the engine saw it
	switched    map[string]time.Time // when power management last did what
}

type storageDomain struct {
	id, name, description, comment, format string

	kind     string        // "" (data) or iso
	files    []string      // of an ISO domain
	conns    []*connection // none of a Fibre Channel domain
	settings domainSettings
	external string // external_status, as somebody's own tool set it; "" means ok
	export   *export
	dc       *dataCenter // nil: unattached
	status   string
	master   bool
	changed  bool // a VM or template on it changed since its OVF store was written
	ovfBusy  bool // an OVF update is under way
	inactive int  // counts outages of its storage
	ovfDisks [2]string

	// What the OVF store held at attach and is not registered yet.
	vms       []*ovfVM
	templates []*ovfTemplate
}

type template struct {
	Template
	cluster *cluster // nil: Blank
	status  string
	disks   []*disk
	created time.Time
}

type disk struct {
	id, alias, description string

	size      int64
	domains   []*storageDomain
	status    string
	imageID   string
	shareable bool
	raw       bool     // its format, else cow
	thick     bool     // preallocated
	lun       *lunDisk // of a direct LUN, which lies on no storage domain
}

type attachment struct {
	disk     *disk
	bootable bool
	active   bool
}

type nic struct {
	id, name, mac   string
	profileID       string
	linked, plugged bool
}

type vm struct {
	id, name, description, comment string

	cluster         *cluster
	templateID      string
	instanceTypeID  string
	memory          int64
	ha              bool
	haPriority      int
	leaseDomainID   string
	deleteProtected bool
	agent           bool
	fqdn, ip        string
	ovfBroken       bool
	pool            string    // name of its VM pool; "" for none
	preview         bool      // a snapshot is in preview
	previewOf       string    // id of that snapshot; "" where the world began with a preview
	beforePreview   *vmConfig // what it was before
	runOnce         bool      // this run, or the last one, was started with settings of its own (ovirt-engine RunVmOnceCommand)
	stopReason      string    // that who stopped it gave; the next start forgets it (ovirt-engine DestroyVmVDSCommand, CreateVDSCommand)
	taken           []snapshot
	cd              string // the file that is in its drive from a start on
	currentCD       string // the file that is in the drive of the running VM
	pinnedTo        []string
	backup          *backup
	nics            []*nic
	disks           []*attachment
	created         time.Time
	properties      []CustomProperty
	customLevel     string        // custom compatibility version; "" for that of the cluster
	agentDelay      time.Duration // on top of what an agent takes to report

	status    string
	before    string // its status when its host was isolated
	host      *host
	running   bool       // QEMU exists on the host
	writing   []*counter // counters that its guest increases
	seq       int        // counts runs
	busy      bool       // an engine lock is held on it
	busyWith  string     // what the holder has to say about it; "" for the usual words
	exitError bool       // it went down by an error: the engine restarts it when it is highly available
	haTries   int
	agentUp   bool  // the guest agent has reported
	target    *host // where it migrates to
	startTime time.Time
	stopTime  time.Time
	startedAt time.Time // of the last start that the lab saw
	upAt      time.Time
	external  bool // found running on a host: the engine did not make it
}

func (e *engine) vm(id string) *vm { return e.vmByID[id] }

// instanceType returns an instance type, or nil.
func (e *engine) instanceType(id string) *InstanceType {
	for i := range e.spec.InstanceTypes {
		if e.spec.InstanceTypes[i].ID == id {
			return &e.spec.InstanceTypes[i]
		}
	}
	return nil
}

func (e *engine) addVM(v *vm) {
	e.vmByID[v.id] = v
	at, _ := slices.BinarySearchFunc(e.vms, v, func(a, b *vm) int { return cmp.Or(cmp.Compare(a.name, b.name), cmp.Compare(a.id, b.id)) })
	e.vms = slices.Insert(e.vms, at, v)
}

func (e *engine) removeVM(v *vm) {
	delete(e.vmByID, v.id)
	e.forget(v.id)
	e.vms = slices.DeleteFunc(e.vms, func(o *vm) bool { return o == v })
}

func (e *engine) addDisk(d *disk) {
	e.diskByID[d.id] = d
	at, _ := slices.BinarySearchFunc(e.disks, d, func(a, b *disk) int { return cmp.Or(cmp.Compare(a.alias, b.alias), cmp.Compare(a.id, b.id)) })
	e.disks = slices.Insert(e.disks, at, d)
}

func (e *engine) removeDisk(d *disk) {
	delete(e.diskByID, d.id)
	e.disks = slices.DeleteFunc(e.disks, func(o *disk) bool { return o == d })
}

func find[T any](list []T, ok func(T) bool) T {
	for _, x := range list {
		if ok(x) {
			return x
		}
	}
	var none T
	return none
}

func (e *engine) dc(id string) *dataCenter {
	return find(e.dcs, func(d *dataCenter) bool { return d.ID == id })
}
func (e *engine) cluster(id string) *cluster {
	return find(e.clusters, func(c *cluster) bool { return c.ID == id })
}
func (e *engine) clusterByName(name string) *cluster {
	return find(e.clusters, func(c *cluster) bool { return c.Name == name })
}
func (e *engine) host(id string) *host {
	return find(e.hosts, func(h *host) bool { return h.ID == id })
}
func (e *engine) domain(id string) *storageDomain {
	return find(e.domains, func(d *storageDomain) bool { return d.id == id })
}
func (e *engine) network(id string) *Network {
	return find(e.networks, func(n *Network) bool { return n.ID == id })
}
func (e *engine) profile(id string) *VNICProfile {
	return find(e.profiles, func(p *VNICProfile) bool { return p.ID == id })
}
func (e *engine) template(id string) *template {
	return find(e.templates, func(t *template) bool { return t.ID == id })
}

// master returns the master domain of a data center, or nil.
func (e *engine) master(dc *dataCenter) *storageDomain {
	return find(e.domains, func(d *storageDomain) bool { return d.dc == dc && d.master })
}

// attached returns the storage domains of a data center.
func (e *engine) attached(dc *dataCenter) []*storageDomain {
	var list []*storageDomain
	for _, d := range e.domains {
		if d.dc == dc {
			list = append(list, d)
		}
	}
	return list
}

// upHosts returns the hosts of a data center that are up.
func (e *engine) upHosts(dc *dataCenter) []*host {
	var list []*host
	for _, h := range e.hosts {
		if h.cluster.dc == dc && h.status == "up" {
			list = append(list, h)
		}
	}
	return list
}

// build makes the running world from its description.
func (l *Lab) build(w World) {
	for _, spec := range w.Exports {
		l.exports = append(l.exports, &export{Export: spec, online: true, writable: true})
	}
	l.buildLUNs(w)
	for _, r := range w.Replications {
		p := &pair{domain: r.Domain, source: l.export(r.Source), target: l.export(r.Target), lag: r.Lag, state: replicating}
		p.active = p.source
		p.target.writable = false
		l.pairs = append(l.pairs, p)
	}
	for _, spec := range w.Sites {
		l.engines = append(l.engines, l.buildEngine(spec))
	}
	l.buildRaw()
	for _, x := range l.exports {
		if x.copy != nil { // what there is at the start has always been there
			c := x.copy.now()
			slices.SortFunc(c.images, func(a, b image) int { return strings.Compare(a.disk, b.disk) })
			x.copy.versions = []version{{c: c}}
		}
	}
	for _, e := range l.engines {
		e.event(eventEngineStarted, "normal", "Starting oVirt Engine.", refs{})
		e.scheduleOVF()
	}
}

func (l *Lab) buildEngine(spec Site) *engine {
	e := &engine{lab: l, spec: spec, name: spec.Name, answers: true, dead: make(chan struct{}), tokens: map[string]*token{}, cookies: map[string]*token{},
		vmByID: map[string]*vm{}, diskByID: map[string]*disk{}, locked: map[string]bool{}, digests: map[string]string{}, registering: newResource(l.lat.RegSlots)}
	long := l.now.Add(-30 * 24 * time.Hour)
	for _, d := range spec.DataCenters {
		e.dcs = append(e.dcs, &dataCenter{DataCenter: d, status: "uninitialized", work: newResource(l.lat.SPMSlots)})
	}
	for _, p := range spec.MACPools {
		e.pools = append(e.pools, &macPool{MACPool: p})
	}
	for _, c := range spec.Clusters {
		e.clusters = append(e.clusters, &cluster{Cluster: c, dc: e.dc(c.DataCenterID), sched: newResource(1),
			pool: find(e.pools, func(p *macPool) bool { return p.ID == c.MACPoolID })})
	}
	for _, h := range spec.Hosts {
		e.hosts = append(e.hosts, &host{Host: h, agents: agentsOf(h), cluster: e.cluster(h.ClusterID), status: "up", powered: true, alive: true, booted: long, site: e.name})
	}
	for i := range spec.Networks {
		e.networks = append(e.networks, &spec.Networks[i])
	}
	for i := range spec.VNICProfiles {
		e.profiles = append(e.profiles, &spec.VNICProfiles[i])
	}
	for _, d := range spec.StorageDomains {
		e.buildDomain(d)
	}
	for _, t := range spec.Templates {
		e.buildTemplate(t, long)
	}
	for i, v := range spec.VMs {
		e.buildVM(v, i, long)
	}
	for _, d := range spec.FloatingDisks {
		e.buildDisk(d, "")
	}
	e.buildAdmin(spec)
	for _, d := range e.domains {
		if d.dc != nil && !d.isoDomain() {
			e.writeStore(d)
		}
	}
	return e
}

func (e *engine) buildDomain(spec StorageDomain) {
	l := e.lab
	d := &storageDomain{id: spec.ID, name: spec.Name, format: spec.Format, status: "unattached", master: spec.Master,
		kind: spec.Type, files: spec.Files, export: l.export(spec.place())}
	e.buildConnections(d)
	d.ovfDisks = [2]string{uuidOf(spec.ID + "/ovf1"), uuidOf(spec.ID + "/ovf2")}
	e.domains = append(e.domains, d)
	if d.export.copy == nil {
		d.export.copy = newCopy(l.now, &contents{id: d.id, name: d.name, format: d.format, kind: d.kind, files: d.files}, l.lagOf(d.export))
	}
	if dc := e.dc(spec.DataCenterID); dc != nil {
		d.dc, d.status, dc.status = dc, "active", "up"
		if dc.spm == nil {
			if up := e.upHosts(dc); len(up) > 0 {
				dc.spm = pickSPM(up)
			}
		}
		d.export.copy.change(l.now, func(c *contents) { c.pool, c.master = dc.ID, d.master })
	}
}

func (e *engine) buildTemplate(spec Template, created time.Time) {
	t := &template{Template: spec, cluster: e.cluster(spec.ClusterID), status: "ok", created: created}
	for _, s := range spec.Disks {
		t.disks = append(t.disks, e.buildDisk(s, spec.ID))
	}
	e.templates = append(e.templates, t)
}

// place puts an image on a domain while the world is being built, when nobody has seen the contents yet; build sorts them.
func place(d *storageDomain, i image) {
	c := d.export.copy.now()
	c.images = append(c.images, i)
}

// buildDisk makes a disk that the world begins with. Its owner is a template, a VM or nobody.
func (e *engine) buildDisk(spec Disk, owner string) *disk {
	d := &disk{id: spec.ID, alias: spec.Alias, size: spec.Size, status: cmp.Or(spec.Status, "ok"), shareable: spec.Shareable}
	if spec.LUN != "" {
		d.lun = e.buildLUNDisk(e.lab.lun(spec.LUN))
		e.addDisk(d)
		return d
	}
	d.imageID, d.domains = uuidOf(spec.ID+"/image"), []*storageDomain{e.domain(spec.StorageDomainID)}
	e.addDisk(d)
	place(d.domains[0], image{disk: spec.ID, owner: owner, size: spec.Size})
	if spec.Counter > 0 {
		d.domains[0].export.copy.counter(spec.ID).base = spec.Counter
	}
	return d
}

func (e *engine) buildVM(spec VM, index int, created time.Time) {
	l := e.lab
	v := &vm{id: spec.ID, name: spec.Name, description: spec.Description, cluster: e.cluster(spec.ClusterID), templateID: spec.TemplateID,
		instanceTypeID: spec.InstanceTypeID, memory: spec.Memory, ha: spec.HA, haPriority: spec.HAPriority, leaseDomainID: spec.LeaseDomainID,
		deleteProtected: spec.DeleteProtected, agent: spec.Agent, fqdn: spec.FQDN, ip: spec.IP, ovfBroken: spec.OVFBroken,
		pool: spec.Pool, preview: spec.Preview, pinnedTo: spec.PinnedTo, status: cmp.Or(spec.Status, "down"), created: created,
		customLevel: spec.CustomVersion, properties: spec.CustomProperties, agentDelay: spec.AgentDelay, cd: spec.CD, currentCD: spec.CD}
	if spec.Backup != "" {
		v.backup = &backup{id: uuidOf(spec.ID + "/backup"), phase: spec.Backup, created: l.now, modified: l.now}
	}
	for i, s := range spec.Snapshots {
		v.taken = append(v.taken, snapshot{id: uuidOf(fmt.Sprintf("%s/snapshot/%d", spec.ID, i)), description: s.Description, kind: "regular",
			status: "ok", taken: l.now.Add(-s.Age), memory: s.Memory, configuration: true})
	}
	for _, n := range spec.NICs {
		v.nics = append(v.nics, &nic{id: n.ID, name: n.Name, mac: n.MAC, profileID: n.ProfileID, linked: true, plugged: true})
	}
	for _, s := range spec.Disks {
		d := e.buildDisk(s, spec.ID)
		if v.backup != nil {
			d.status = "locked"
		}
		v.disks = append(v.disks, &attachment{disk: d, bootable: s.Bootable, active: true})
	}
	e.addVM(v)
	if !spec.Running {
		return
	}
	var hosts []*host
	for _, h := range e.hosts {
		if h.cluster == v.cluster && v.mayRunOn(h) {
			hosts = append(hosts, h)
		}
	}
	if len(hosts) == 0 {
		return
	}
	v.status, v.host, v.running, v.agentUp = "up", hosts[index%len(hosts)], true, v.agent
	v.startTime = l.now.Add(-24 * time.Hour).Add(time.Duration(index) * time.Minute)
	if spec.Status == "paused" {
		v.status, v.agentUp = "paused", false
		return
	}
	e.openDisks(v)
}

// networkName and profileName say what a NIC is connected to; "" for a NIC without a profile.
func (e *engine) networkName(profileID string) (network, profile string) {
	p := e.profile(profileID)
	if p == nil {
		return "", ""
	}
	if n := e.network(p.NetworkID); n != nil {
		network = n.Name
	}
	return network, p.Name
}

func macNumber(mac string) uint64 {
	var n uint64
	_, _ = fmt.Sscanf(strings.ReplaceAll(mac, ":", ""), "%x", &n)
	return n
}

func macString(n uint64) string {
	return fmt.Sprintf("%02x:%02x:%02x:%02x:%02x:%02x", n>>40&255, n>>32&255, n>>24&255, n>>16&255, n>>8&255, n&255)
}

// operation puts a part of the engine's own work on the queue: a restart of the engine drops it and calls abort.
func (e *engine) operation(when time.Time, run, abort func()) *op {
	o := e.lab.at(when, run)
	o.engine, o.abort = e, abort
	return o
}
