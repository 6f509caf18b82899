package ovirt

import (
	"context"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"

	sdk "github.com/ovirt/go-ovirt"
)

// ISCSITarget is an iSCSI target behind one portal, with what CHAP asks for.
type ISCSITarget struct {
	Address            string // IPv6 without brackets
	Port               int
	IQN                string
	Username, Password string // "" where the target asks for none
}

// String is the target as people write it, without what CHAP asks for.
func (t ISCSITarget) String() string {
	address := t.Address
	if strings.Contains(address, ":") {
		address = "[" + address + "]"
	}
	return fmt.Sprintf("%s:%d/%s", address, t.Port, t.IQN)
}

// HostLUN is a LUN as a host sees it at a moment.
type HostLUN struct {
	LUN
	Type  string // iscsi or fcp
	Paths int    // how many the host has to it; over iSCSI one for each session
	// VolumeGroupID is the id that LVM gave to what lies on it. A replica has that of its source.
	VolumeGroupID string
}

var decodeHostLUNs = list("host_storages", "host_storage", sdk.XMLHostStorageReadOne, func(h *sdk.HostStorage) HostLUN {
	out := HostLUN{Type: string(first(h.Type()))}
	if units := items[*sdk.LogicalUnit](h.LogicalUnits()); len(units) > 0 {
		out.LUN, out.Paths, out.VolumeGroupID = toLUN(units[0]), int(first(units[0].Paths())), first(units[0].VolumeGroupId())
	}
	if out.ID == "" {
		out.ID = first(h.Id())
	}
	return out
})

// HostLUNs reads which LUNs a host that is up sees now: it scans its devices for that. Whether they are free is not asked, which takes
// longer. Of several sessions of a host to a LUN the engine names the first (ovirt-engine BackendHostStorageResource.java).
func (s *Site) HostLUNs(ctx context.Context, hostID string) ([]HostLUN, error) {
	return read(ctx, s, call{subject: Subject{Kind: "LUNs of host", ID: hostID}, path: "/hosts/" + segment(hostID) + "/storage",
		query: url.Values{"report_status": {"false"}}, timeout: inventoryTimeout}, decodeHostLUNs)
}

// lookingHosts bounds how many hosts scan their devices at a time for one question.
const lookingHosts = 8

// LUNsOfHosts is HostLUNs of many hosts, several at a time. A host that could not tell has an error, and no LUNs.
func (s *Site) LUNsOfHosts(ctx context.Context, hostIDs []string) (seen map[string][]HostLUN, failed map[string]error) {
	seen, failed = map[string][]HostLUN{}, map[string]error{}
	var mu sync.Mutex
	next := 0
	take := func() (id string, more bool) {
		mu.Lock()
		defer mu.Unlock()
		if next == len(hostIDs) {
			return "", false
		}
		next++
		return hostIDs[next-1], true
	}
	start := s.o.Go
	if start == nil {
		start = func(f func()) { f() }
	}
	var ended []chan struct{}
	for range min(lookingHosts, len(hostIDs)) {
		done := make(chan struct{})
		ended = append(ended, done)
		start(func() {
			defer close(done)
			for id, more := take(); more; id, more = take() {
				luns, err := s.HostLUNs(ctx, id)
				mu.Lock()
				if err != nil {
					failed[id] = err
				} else {
					seen[id] = luns
				}
				mu.Unlock()
			}
		})
	}
	for _, done := range ended {
		_, _ = s.o.Clock.Wait(context.Background(), -1, done) // each read ends under ctx
	}
	return seen, failed
}

// LoggedIn reports whether what a host sees shows that it has a session at each of some portals of one target.
func LoggedIn(seen []HostLUN, target ISCSITarget, portals int) bool {
	for _, lun := range seen {
		if lun.Target != target.IQN {
			continue
		}
		if lun.Paths >= portals || strings.EqualFold(lun.Address, target.Address) && lun.Port == target.Port {
			return true
		}
	}
	return false
}

type (
	iscsiActionXML struct {
		XMLName xml.Name `xml:"action"`
		ISCSI   iscsiXML `xml:"iscsi"`
	}
	iscsiXML struct {
		Address  string `xml:"address"`
		Password string `xml:"password,omitempty"`
		Port     int    `xml:"port"`
		Target   string `xml:"target"`
		Username string `xml:"username,omitempty"`
	}
)

// ISCSISessionID identifies the session of a host at a target.
func ISCSISessionID(hostID string, target ISCSITarget) string { return hostID + " " + target.String() }

// LogInISCSI lets a host log in at a target. A host that is logged in already stays so: the engine does nothing then (ovirt-engine
// ConnectStorageToVdsCommand.java), so it may be asked again. Whether a session is there HostLUNs tells. The write hook sees no password.
func (s *Site) LogInISCSI(ctx context.Context, host Host, target ISCSITarget) error {
	subject := Subject{Kind: KindISCSISession, ID: ISCSISessionID(host.ID, target), Name: host.Name + " at " + target.String()}
	ctx = patiently(ctx)
	body := iscsiActionXML{ISCSI: iscsiXML{Address: target.Address, Port: target.Port, Target: target.IQN, Username: target.Username, Password: target.Password}}
	told := body
	told.ISCSI.Password = hidden(target.Password)
	failure, refused := s.performRepeatable(ctx, change{op: OpLogInISCSI, subject: subject, method: http.MethodPost, path: "/hosts/" + segment(host.ID) + "/iscsilogin",
		body: body, told: told, accept: acceptAction}, "a login")
	if failure == nil {
		return nil
	}
	if refused {
		failure.Hint = "does the host reach " + target.Address + " on the storage network, and does the target let its initiator in?"
		if strings.Contains(failure.Detail, "authorization") {
			failure.Hint = "compare the username and the password of the target in the plan with those that the array asks for (CHAP)"
		}
	}
	return failure
}
