package ovirt

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// vmIs answers the reads of VM 1 by a function of time.
func (f *fake) vmIs(text func() string) {
	f.handle("GET /vms/"+vmID(1), func(*http.Request, string) answer {
		if now := text(); now != "" {
			return xmlAnswer(200, now)
		}
		return notFound
	})
}

func TestSetHAAndLeaseAreOneRequest(t *testing.T) {
	bubble(t, func(t *testing.T, f *fake) {
		now := haVM(false, 1, "")
		f.vmIs(func() string { return now })
		f.handle("PUT /vms/"+vmID(1), func(*http.Request, string) answer { now = haVM(true, 50, sdID); return xmlAnswer(200, now) })
		was, changed, err := f.site().SetHA(t.Context(), vmID(1), HA{Enabled: true, Priority: 50, LeaseDomainID: sdID})
		if err != nil || !changed || was != (HA{Priority: 1}) {
			t.Fatal(was, changed, err)
		}
		want := `<vm><high_availability><enabled>true</enabled><priority>50</priority></high_availability><lease><storage_domain id="` + sdID + `"></storage_domain></lease></vm>`
		if len(f.bodies) != 1 || f.bodies[0] != want || f.hooked[0].Op != OpSetHA || f.hooked[0].Subject != (Subject{Kind: KindVM, ID: vmID(1), Name: "vm1"}) {
			t.Fatalf("%v %+v", f.bodies, f.hooked)
		}
		was, changed, err = f.site().SetHA(t.Context(), vmID(1), HA{Enabled: true})
		if err != nil || changed || was != (HA{Enabled: true, Priority: 50, LeaseDomainID: sdID}) {
			t.Fatal(was, changed, err)
		}
	})
}

func TestSetHAThatAnInstanceTypeUndoes(t *testing.T) {
	bubble(t, func(t *testing.T, f *fake) {
		f.vmIs(func() string {
			return strings.Replace(haVM(true, 50, ""), "<name>", `<instance_type id="i1"/><name>`, 1)
		})
		f.on("PUT /vms/"+vmID(1), xmlAnswer(200, haVM(true, 50, "")))
		was, changed, err := f.site().SetHA(t.Context(), vmID(1), HA{})
		e := wantCode(t, err, CodeEngineError)
		if !changed || !was.Enabled || e.State != "HA on, priority 50" || !strings.Contains(e.Hint, "instance type") || len(f.writes()) != 1 {
			t.Fatal(was, changed, err, e.Hint)
		}
	})
}

func TestTouchVM(t *testing.T) {
	bubble(t, func(t *testing.T, f *fake) {
		comment := "old <one>"
		f.vmIs(func() string {
			return strings.Replace(vmXML(1, "down"), "<name>", "<comment>"+strings.NewReplacer("&", "&amp;", "<", "&lt;").Replace(comment)+"</comment><name>", 1)
		})
		bodies := []string{"drrun <&> 1", ""}
		f.handle("PUT /vms/"+vmID(1), func(*http.Request, string) answer {
			comment, bodies = bodies[0], bodies[1:]
			return xmlAnswer(200, vmXML(1, "down"))
		})
		s := f.site()
		was, changed, err := s.TouchVM(t.Context(), vmID(1), "drrun <&> 1")
		if err != nil || !changed || was != "old <one>" {
			t.Fatal(was, changed, err)
		}
		was, changed, err = s.TouchVM(t.Context(), vmID(1), "")
		if err != nil || !changed || was != "drrun <&> 1" {
			t.Fatal(was, changed, err)
		}
		if f.bodies[0] != "<vm><comment>drrun &lt;&amp;&gt; 1</comment></vm>" || f.bodies[1] != "<vm><comment></comment></vm>" {
			t.Fatal(f.bodies)
		}
	})
	bubble(t, func(t *testing.T, f *fake) { // a refusal of the whole VM tells what to look at
		f.vmIs(func() string { return vmXML(1, "down") })
		f.on("PUT /vms/"+vmID(1), fault(400, "Operation Failed", "[Cannot find the ISO image]"))
		_, _, err := f.site().TouchVM(t.Context(), vmID(1), "x")
		if e := wantCode(t, err, CodeBadRequest); !strings.Contains(e.Hint, "CD image") {
			t.Fatal(e.Hint)
		}
	})
}

// TestReadBacksShareOneRequest: switching HA of many VMs costs one request each and a few reads for all.
func TestReadBacksShareOneRequest(t *testing.T) {
	bubble(t, func(t *testing.T, f *fake) {
		f.latency = 10 * time.Millisecond
		off := map[string]bool{}
		text := func(n int) string {
			return strings.Replace(vmXML(n, "up"), "<name>", map[bool]string{true: "", false: "<high_availability><enabled>true</enabled></high_availability>"}[off[vmID(n)]]+"<name>", 1)
		}
		f.handle("GET /vms", func(*http.Request, string) answer {
			f.mu.Lock()
			defer f.mu.Unlock()
			var vms []string
			for n := range 300 {
				vms = append(vms, text(n))
			}
			return xmlAnswer(200, vmsXML(vms...))
		})
		for n := range 300 {
			f.handle("GET /vms/"+vmID(n), func(*http.Request, string) answer { f.mu.Lock(); defer f.mu.Unlock(); return xmlAnswer(200, text(n)) })
			f.handle("PUT /vms/"+vmID(n), func(*http.Request, string) answer {
				f.mu.Lock()
				defer f.mu.Unlock()
				off[vmID(n)] = true
				return xmlAnswer(200, vmXML(n, "up"))
			})
		}
		s := f.site()
		var wg sync.WaitGroup
		for n := range 300 {
			wg.Go(func() {
				if was, changed, err := s.SetHA(t.Context(), vmID(n), HA{}); err != nil || !changed || !was.Enabled {
					t.Error(was, changed, err)
				}
			})
		}
		wg.Wait()
		if c := s.Counters(); c.Writes != 300 || c.Reads > 4 || c.Polls > 8 {
			t.Fatalf("%+v", c)
		}
	})
}

func TestShutdownByStatus(t *testing.T) {
	for _, c := range []struct {
		status string
		force  bool
		code   Code // "" means done
		writes []string
	}{
		{"down", true, "", nil},
		{"up", false, CodeTimeout, []string{"shutdown"}},
		{"up", true, "", []string{"shutdown", "stop"}},
		{"powering_down", false, CodeTimeout, nil},
		{"powering_down", true, "", []string{"stop"}},
		{"powering_up", false, CodeTimeout, nil},
		{"wait_for_launch", true, "", []string{"stop"}},
		{"migrating", false, CodeTimeout, nil},
		{"paused", false, CodeConflict, nil},
		{"paused", true, "", []string{"stop"}},
		{"not_responding", false, CodeConflict, nil},
		{"not_responding", true, "", []string{"stop"}},
		{"suspended", true, CodeConflict, nil},
		{"saving_state", true, CodeConflict, nil},
		{"restoring_state", true, CodeRefused, nil},
		{"unknown", true, CodeConflict, nil},
		{"image_locked", true, CodeRefused, nil},
		{"", true, CodeGone, nil},
	} {
		bubble(t, func(t *testing.T, f *fake) {
			stopped := false
			f.vmIs(func() string {
				if stopped {
					return vmXML(1, "down")
				}
				if c.status == "" {
					return ""
				}
				return vmXML(1, c.status)
			})
			f.on("POST /vms/"+vmID(1)+"/shutdown", complete)
			f.handle("POST /vms/"+vmID(1)+"/stop", func(*http.Request, string) answer { stopped = true; return complete })
			began := time.Now()
			result, err := f.site().ShutdownVM(t.Context(), vmID(1), ShutdownOptions{Grace: time.Minute, Force: c.force})
			if c.code == "" && (err != nil || result.DownAt.IsZero()) || c.code != "" && !HasCode(err, c.code) {
				t.Errorf("%s: %+v %v", c.status, result, err)
			}
			if c.code != "" && c.status != "" {
				if e := wantCode(t, err, c.code); e.State != c.status {
					t.Errorf("%s: state %q", c.status, e.State)
				}
			}
			var want []string
			for _, verb := range c.writes {
				want = append(want, "POST /vms/"+vmID(1)+"/"+verb)
			}
			wantLines(t, f.writes(), want...)
			if result.Forced != (len(c.writes) > 0 && c.writes[len(c.writes)-1] == "stop") || result.Requested != (len(c.writes) > 0 && c.writes[0] == "shutdown") {
				t.Errorf("%s: %+v", c.status, result)
			}
			if c.force && len(c.writes) > 0 && time.Since(began) < time.Minute {
				t.Errorf("%s: powered off before the grace was over", c.status)
			}
		})
	}
}

func TestShutdownOfAVMThatComesUpFirst(t *testing.T) {
	bubble(t, func(t *testing.T, f *fake) {
		began, asked := time.Now(), time.Time{}
		f.vmIs(func() string {
			switch {
			case !asked.IsZero() && time.Since(asked) > 20*time.Second:
				return vmXML(1, "down")
			case !asked.IsZero():
				return vmXML(1, "powering_down")
			case time.Since(began) > 15*time.Second:
				return vmXML(1, "up")
			}
			return vmXML(1, "powering_up")
		})
		f.handle("POST /vms/"+vmID(1)+"/shutdown", func(*http.Request, string) answer { asked = time.Now(); return complete })
		result, err := f.site().ShutdownVM(t.Context(), vmID(1), ShutdownOptions{})
		if err != nil || !result.Requested || result.Forced || len(f.writes()) != 1 {
			t.Fatal(result, err, f.writes())
		}
	})
}

// TestShutdownIsSentOnce: a guest that ignores it and reads up again is not asked again, by this attempt or by another.
func TestShutdownIsSentOnce(t *testing.T) {
	bubble(t, func(t *testing.T, f *fake) {
		began := time.Now()
		f.vmIs(func() string {
			return vmXML(1, map[bool]string{true: "up", false: "powering_down"}[len(f.writes()) == 0 || time.Since(began) > 20*time.Second])
		})
		f.on("POST /vms/"+vmID(1)+"/shutdown", complete)
		s := f.site()
		_, err := s.ShutdownVM(t.Context(), vmID(1), ShutdownOptions{})
		e := wantCode(t, err, CodeTimeout)
		if len(f.writes()) != 1 || e.State != "up" || !strings.Contains(e.Hint, "ignores") {
			t.Fatal(f.writes(), err)
		}
		f.on("GET /events", xmlAnswer(200, "<events>"+eventXML(5, 73, "<correlation_id>run-1</correlation_id>")+"</events>"))
		_, err = s.ShutdownVM(t.Context(), vmID(1), ShutdownOptions{Grace: time.Minute, Earlier: []string{"run-0", "run-1"}})
		wantCode(t, err, CodeTimeout)
		if len(f.writes()) != 1 {
			t.Fatal(f.writes())
		}
	})
}

// TestShutdownLooksAgainAfterWaiting: what was read before a long wait for a place is not trusted.
func TestShutdownLooksAgainAfterWaiting(t *testing.T) {
	for _, status := range []string{"powering_down", "suspended"} {
		bubble(t, func(t *testing.T, f *fake) {
			now := "up"
			f.vmIs(func() string { f.mu.Lock(); defer f.mu.Unlock(); return vmXML(1, now) })
			s := f.site()
			for range limitStart {
				if err := s.limit.acquire(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			var wg sync.WaitGroup
			wg.Go(func() {
				_, err := s.ShutdownVM(t.Context(), vmID(1), ShutdownOptions{Grace: time.Minute})
				if !HasCode(err, map[string]Code{"powering_down": CodeTimeout, "suspended": CodeConflict}[status]) {
					t.Error(err)
				}
			})
			synctest.Wait()
			time.Sleep(20 * time.Second) // virtual
			f.mu.Lock()
			now = status
			f.mu.Unlock()
			for range limitStart {
				s.limit.release("other", time.Now(), 0, true, false)
			}
			wg.Wait()
			if len(f.writes()) != 0 {
				t.Fatal(f.writes())
			}
		})
	}
}

func TestRemoveDisklessVM(t *testing.T) {
	for _, c := range []struct {
		status, disks string
		code          Code
		state         string
	}{
		{"down", "<disk_attachments/>", "", ""},
		{"down", `<disk_attachments><disk_attachment id="d1"/></disk_attachments>`, CodeRefused, "down"},
		{"up", "<disk_attachments/>", CodeRefused, "up"},
		{"suspended", "<disk_attachments/>", CodeRefused, "suspended"},
		{"down", "<vms/>", CodeBadReply, ""},
	} {
		bubble(t, func(t *testing.T, f *fake) {
			gone := false
			f.vmIs(func() string {
				if gone {
					return ""
				}
				return vmXML(1, c.status)
			})
			f.on("GET /vms/"+vmID(1)+"/diskattachments", xmlAnswer(200, c.disks))
			f.handle("DELETE /vms/"+vmID(1), func(*http.Request, string) answer { gone = true; return complete })
			changed, err := f.site().RemoveDisklessVM(t.Context(), vmID(1))
			if c.code != "" {
				if e := wantCode(t, err, c.code); len(f.writes()) != 0 || e.State != c.state || changed {
					t.Fatal(err, f.writes())
				}
				return
			}
			if err != nil || !changed {
				t.Fatal(changed, err)
			}
			wantLines(t, f.writes(), "DELETE /vms/"+vmID(1)+"?detach_only=true")
		})
	}
}

func TestMissingIDs(t *testing.T) {
	bubble(t, func(t *testing.T, f *fake) {
		s := f.site()
		for _, id := range []string{"", ".", ".."} {
			_, err := s.RemoveDisklessVM(t.Context(), id)
			wantCode(t, err, CodeBadRequest)
			_, err = s.DestroyDomain(t.Context(), id)
			wantCode(t, err, CodeBadRequest)
			_, err = s.VM(t.Context(), id)
			wantCode(t, err, CodeBadRequest)
			_, err = s.StartVM(t.Context(), id, StartOptions{})
			wantCode(t, err, CodeBadRequest)
			_, err = s.WaitVM(t.Context(), id, time.Minute, up)
			wantCode(t, err, CodeBadRequest)
		}
		if len(f.log) != 0 {
			t.Fatal(f.log)
		}
	})
}

func TestDeactivateRetriesWhileWorkIsUnderWay(t *testing.T) {
	for _, words := range []string{"Cannot deactivate Storage while there are running tasks on this Storage.\n-Tasks running: x", "Cannot ${action} Storage. Storage Domain OVF data is currently being updated.",
		"You are trying to deactivate a Master storage domain while there are locked domains in the Data Center. Please wait"} {
		bubble(t, func(t *testing.T, f *fake) {
			state, n := "active", 0
			f.domainWorld(func() string { return state })
			f.handle("POST /datacenters/"+dcID+"/storagedomains/"+sdID+"/deactivate", func(*http.Request, string) answer {
				if n++; n < 6 {
					return fault(409, "Operation Failed", "["+words+"]")
				}
				state = "maintenance"
				return complete
			})
			sd, changed, err := f.site().DeactivateDomain(t.Context(), dcID, sdID, 0)
			if err != nil || !changed || sd.Status != "maintenance" || len(f.hooked) != 6 {
				t.Fatal(sd, changed, err)
			}
			for _, w := range f.hooked[1:] {
				if !strings.Contains(w.Retry, strings.Fields(words)[1]) {
					t.Fatalf("%+v", w)
				}
			}
		})
	}
}

func TestDeactivateByStatus(t *testing.T) {
	for _, c := range []struct {
		status string
		code   Code
		writes int
	}{
		{"maintenance", "", 0}, {"inactive", "", 1}, {"unknown", CodeConflict, 0}, {"unattached", CodeConflict, 0}, {"locked", CodeTimeout, 0}, {"", CodeNotFound, 0},
	} {
		bubble(t, func(t *testing.T, f *fake) {
			state := c.status
			f.domainWorld(func() string { return state })
			f.handle("POST /datacenters/"+dcID+"/storagedomains/"+sdID+"/deactivate", func(*http.Request, string) answer { state = "maintenance"; return complete })
			_, changed, err := f.site().DeactivateDomain(t.Context(), dcID, sdID, time.Minute)
			if c.code == "" && err != nil || c.code != "" && !HasCode(err, c.code) || changed != (c.writes > 0) || len(f.writes()) != c.writes {
				t.Errorf("%q: %v %v %v", c.status, changed, err, f.writes())
			}
			if e, ok := asError(err); ok && c.status != "" && e.State != c.status {
				t.Errorf("%q: state %q", c.status, e.State)
			}
			for _, body := range f.bodies {
				if body != "<action></action>" {
					t.Error(body)
				}
			}
		})
	}
}

func TestDeactivateThatFallsBack(t *testing.T) {
	for after, code := range map[string]string{"active": "969", "unknown": "1009"} {
		bubble(t, func(t *testing.T, f *fake) {
			state, since := "active", time.Time{}
			f.domainWorld(func() string {
				if state == "locked" && time.Since(since) > 20*time.Second {
					return after
				}
				return state
			})
			f.on("GET /events", xmlAnswer(200, `<events><event id="8"><code>61</code><description>other</description><severity>error</severity><storage_domain id="`+sdID+`"/></event>`+
				`<event id="7"><code>`+code+`</code><description>Failed to deactivate Storage Domain nfs_ds</description><severity>warning</severity><storage_domain id="`+sdID+`"/></event></events>`))
			f.handle("POST /datacenters/"+dcID+"/storagedomains/"+sdID+"/deactivate", func(*http.Request, string) answer {
				state, since = "locked", time.Now()
				return complete
			})
			_, changed, err := f.site().DeactivateDomain(t.Context(), dcID, sdID, 0)
			e := wantCode(t, err, CodeEngineError)
			if !changed || e.State != after || !strings.Contains(err.Error(), "Failed to deactivate Storage Domain nfs_ds") || strings.Contains(err.Error(), "other") || len(f.writes()) != 1 {
				t.Fatal(changed, err, f.writes())
			}
		})
	}
}

func TestDetachRefusals(t *testing.T) {
	for _, c := range []struct {
		name, attached, global string
		code                   Code
	}{
		{"local storage", strings.Replace(sdXML(sdID, "maintenance", dcID), "nfs</type>", "localfs</type>", 1), sdXML(sdID, "", dcID), CodeRefused},
		{"unknown storage", strings.Replace(sdXML(sdID, "maintenance", dcID), "<type>nfs</type>", "", 1), sdXML(sdID, "", dcID), CodeRefused},
		{"active", sdXML(sdID, "active", dcID), sdXML(sdID, "", dcID), CodeConflict},
		{"elsewhere", "", sdXML(sdID, "", "d2"), CodeConflict},
		{"unattached", "", sdXML(sdID, "unattached", ""), ""},
		{"unknown to the engine", "", "", ""},
	} {
		bubble(t, func(t *testing.T, f *fake) {
			if c.attached != "" {
				f.on(attachedRoute, xmlAnswer(200, c.attached))
			}
			if c.global != "" {
				f.on("GET /storagedomains/"+sdID, xmlAnswer(200, c.global))
			}
			f.on("DELETE /datacenters/"+dcID+"/storagedomains/"+sdID, complete)
			changed, err := f.site().DetachDomain(t.Context(), dcID, sdID)
			if changed || len(f.writes()) != 0 || c.code == "" && err != nil || c.code != "" && !HasCode(err, c.code) {
				t.Errorf("%s: %v %v %v", c.name, changed, err, f.writes())
			}
		})
	}
}

func TestRemoveAndDestroyRefusals(t *testing.T) {
	iso := strings.Replace(sdXML(sdID, "unattached", ""), "data</type>", "iso</type>", 1)
	localOne := strings.Replace(sdXML(sdID, "unattached", ""), "nfs</type>", "localfs</type>", 1)
	for _, c := range []struct {
		name, global, attached string
		remove, destroy        Code // "" means sent
	}{
		{"unattached", sdXML(sdID, "unattached", ""), "", "", ""},
		{"attached and active", sdXML(sdID, "", dcID), "active", CodeConflict, CodeRefused},
		{"attached and inactive", sdXML(sdID, "", dcID), "inactive", CodeConflict, ""},
		{"attached and unknown", sdXML(sdID, "", dcID), "unknown", CodeConflict, ""},
		{"iso", iso, "", CodeRefused, CodeRefused},
		{"local storage", localOne, "", CodeRefused, ""},
	} {
		for verb, want := range map[string]Code{"host=" + hoID: c.remove, "destroy=true": c.destroy} {
			bubble(t, func(t *testing.T, f *fake) {
				gone := false
				f.handle("GET /storagedomains/"+sdID, func(*http.Request, string) answer {
					if gone {
						return notFound
					}
					return xmlAnswer(200, c.global)
				})
				if c.attached != "" {
					f.on(attachedRoute, xmlAnswer(200, sdXML(sdID, c.attached, dcID)))
				}
				f.handle("DELETE /storagedomains/"+sdID, func(*http.Request, string) answer { gone = true; return complete })
				call := func(s *Site) (bool, error) { return s.RemoveDomain(t.Context(), sdID, hoID) }
				if verb == "destroy=true" {
					call = func(s *Site) (bool, error) { return s.DestroyDomain(t.Context(), sdID) }
				}
				changed, err := call(f.site())
				if want != "" {
					if e := wantCode(t, err, want); changed || len(f.writes()) != 0 || e.State == "" && want == CodeConflict {
						t.Fatal(c.name, changed, err)
					}
					return
				}
				if err != nil || !changed {
					t.Fatal(c.name, verb, changed, err)
				}
				wantLines(t, f.writes(), "DELETE /storagedomains/"+sdID+"?"+verb)
			})
		}
	}
	bubble(t, func(t *testing.T, f *fake) {
		_, err := f.site().RemoveDomain(t.Context(), sdID, "")
		wantCode(t, err, CodeBadRequest)
	})
}

func TestUpdateOVFStoreEnds(t *testing.T) {
	for _, c := range []struct {
		name   string
		events string
		result UpdateResult
		code   Code
		waits  bool // for a better event
	}{
		{"written", storeEvent(8, 199, "run-1"), UpdateResult{Written: true}, "", false},
		{"nothing to do", storeEvent(8, 1052, "run-1"), UpdateResult{NothingToDo: true}, "", false},
		{"failed", storeEvent(8, 190, "run-1"), UpdateResult{}, CodeEngineError, false},
		{"written before", storeEvent(6, 199, "run-0"), UpdateResult{}, CodeTimeout, false},
		{"of another domain", eventXML(8, 199, `<storage_domain id="`+otherID+`"/>`), UpdateResult{}, CodeTimeout, false},
		{"another's event only", storeEvent(8, 199, "x"), UpdateResult{Written: true}, "", true},
		{"another's event and ours", storeEvent(9, 1052, "run-1") + storeEvent(8, 199, "x"), UpdateResult{NothingToDo: true}, "", false},
		{"silence", "", UpdateResult{}, CodeTimeout, false},
	} {
		bubble(t, func(t *testing.T, f *fake) {
			f.handle("GET /events", func(r *http.Request, _ string) answer {
				if r.URL.Query().Get("max") == "1" {
					return xmlAnswer(200, "<events>"+eventXML(7, 61, "")+"</events>")
				}
				return xmlAnswer(200, "<events>"+c.events+"</events>")
			})
			f.on("POST /storagedomains/"+sdID+"/updateovfstore", complete)
			began := time.Now()
			result, err := f.site().UpdateOVFStore(t.Context(), sdID)
			if result != c.result || c.code == "" && err != nil || c.code != "" && !HasCode(err, c.code) {
				t.Errorf("%s: %+v %v", c.name, result, err)
			}
			if took := time.Since(began); c.waits != (took >= settleWindow && took < 2*settleWindow) && c.code != CodeTimeout {
				t.Errorf("%s: took %s", c.name, took)
			}
		})
	}
}

// TestOVFUpdatesShareOneRequestATick: five domains wait for their events together.
func TestOVFUpdatesShareOneRequestATick(t *testing.T) {
	bubble(t, func(t *testing.T, f *fake) {
		began := time.Now()
		id := func(n int) string { return vmID(n) }
		f.handle("GET /events", func(r *http.Request, _ string) answer {
			text := eventXML(7, 61, "")
			if r.URL.Query().Get("max") != "1" && time.Since(began) > 30*time.Second {
				text = ""
				for n := range 5 {
					text += eventXML(10+n, 199, `<storage_domain id="`+id(n)+`"/>`)
				}
			}
			return xmlAnswer(200, "<events>"+text+"</events>")
		})
		s := f.site()
		var wg sync.WaitGroup
		for n := range 5 {
			f.on("POST /storagedomains/"+id(n)+"/updateovfstore", complete)
			wg.Go(func() {
				if result, err := s.UpdateOVFStore(t.Context(), id(n)); err != nil || !result.Written {
					t.Error(result, err)
				}
			})
		}
		wg.Wait()
		if c := s.Counters(); c.Polls > int(time.Since(began)/defaultTick)+2 || c.Writes != 5 || c.Reads != 5 {
			t.Fatalf("%+v in %s", c, time.Since(began))
		}
	})
}

func TestCreateLabelByAnother(t *testing.T) {
	for name, first := range map[string]answer{
		"held before":           {},
		"409":                   fault(409, "Operation Failed", "[Cannot add affinity label with a conflicting NAME.]"),
		"the race is lost, 500": {status: 500, kind: "text/html", body: "<html/>"},
		"the race is lost, 400": fault(400, "Operation Failed", "[Internal Engine Error]"),
		"forbidden":             fault(403, "Operation Failed", "no"),
		"reset":                 reset,
		"said to be created":    xmlAnswer(201, `<affinity_label id="`+lbID+`"/>`),
	} {
		bubble(t, func(t *testing.T, f *fake) {
			held := name == "held before"
			f.handle("GET /affinitylabels", func(*http.Request, string) answer {
				if held {
					return labelsXML("drrun.1", otherID)
				}
				return xmlAnswer(200, "<affinity_labels/>")
			})
			f.handle("POST /affinitylabels", func(*http.Request, string) answer { held = true; return first })
			err := f.site().CreateLabel(t.Context(), "drrun.1", lbID)
			e := wantCode(t, err, CodeAlreadyExists)
			if e.State != otherID || !strings.Contains(err.Error(), "(its id is "+otherID) || len(f.writes()) > 1 {
				t.Errorf("%s: %v %v", name, err, f.writes())
			}
		})
	}
	bubble(t, func(t *testing.T, f *fake) { // ours, made by a request whose answer was lost in an earlier attempt
		f.on("GET /affinitylabels", labelsXML("drrun.1", lbID))
		if err := f.site().CreateLabel(t.Context(), "drrun.1", lbID); err != nil || len(f.writes()) != 0 {
			t.Fatal(err)
		}
		for _, bad := range []string{"", "a b", "ü", strings.Repeat("x", 51)} {
			wantCode(t, f.site().CreateLabel(t.Context(), bad, lbID), CodeBadRequest)
		}
		wantCode(t, f.site().CreateLabel(t.Context(), "x", ""), CodeBadRequest)
	})
}

func TestPostEvent(t *testing.T) {
	bubble(t, func(t *testing.T, f *fake) {
		events := ""
		f.handle("GET /events", func(r *http.Request, _ string) answer {
			if r.URL.Query().Get("search") != "origin=drrun and custom_event_id=7" {
				t.Error(r.URL.RawQuery)
			}
			return xmlAnswer(200, "<events>"+events+"</events>")
		})
		f.handle("POST /events", func(*http.Request, string) answer {
			events = markXML(mark.Description)
			return xmlAnswer(201, events)
		})
		s := f.site()
		posted, err := s.PostEvent(t.Context(), mark)
		if err != nil || posted.ID != 9 || posted.CustomID != 7 {
			t.Fatal(posted, err)
		}
		if want := `<event><origin>drrun</origin><custom_id>7</custom_id><severity>normal</severity><description>run 1 holds nfs_ds</description><storage_domain id="` + sdID + `"></storage_domain></event>`; f.bodies[0] != want {
			t.Fatal(f.bodies)
		}
		if posted, err = s.PostEvent(t.Context(), mark); err != nil || posted.ID != 9 || len(f.writes()) != 1 {
			t.Fatal(posted, err)
		}
		other := mark
		other.Description = "run 2 holds nfs_ds"
		_, err = s.PostEvent(t.Context(), other)
		if e := wantCode(t, err, CodeAlreadyExists); e.State != mark.Description || len(f.writes()) != 1 {
			t.Fatal(err)
		}
		for _, change := range []func(*EventSpec){func(e *EventSpec) { e.Origin = "oVirt" }, func(e *EventSpec) { e.Origin = "a b" }, func(e *EventSpec) { e.CustomID = 0 }, func(e *EventSpec) { e.Severity = "loud" }, func(e *EventSpec) { e.Description = " " }} {
			bad := mark
			change(&bad)
			_, err = s.PostEvent(t.Context(), bad)
			wantCode(t, err, CodeBadRequest)
		}
	})
	bubble(t, func(t *testing.T, f *fake) { // the loser of a race is given the winner's event, with 201
		f.on("GET /events", xmlAnswer(200, "<events/>"))
		f.on("POST /events", xmlAnswer(201, markXML("run 2 holds nfs_ds")))
		_, err := f.site().PostEvent(t.Context(), mark)
		if e := wantCode(t, err, CodeAlreadyExists); e.State != "run 2 holds nfs_ds" {
			t.Fatal(err)
		}
	})
}

func TestIsAttached(t *testing.T) {
	bubble(t, func(t *testing.T, f *fake) {
		f.on("POST /storagedomains/"+sdID+"/isattached", xmlAnswer(200, "<action><is_attached>true</is_attached><status>complete</status></action>"),
			xmlAnswer(200, "<action><is_attached>false</is_attached><status>complete</status></action>"))
		s, unattached := f.site(), StorageDomain{ID: sdID, Status: "unattached"}
		for _, want := range []bool{true, false} {
			if got, err := s.IsAttached(t.Context(), unattached, hoID); err != nil || got != want {
				t.Fatal(got, err)
			}
		}
		_, err := s.IsAttached(t.Context(), StorageDomain{ID: sdID, DataCenterID: dcID}, hoID)
		wantCode(t, err, CodeRefused)
		if len(f.writes()) != 2 || f.bodies[0] != `<action><host id="`+hoID+`"></host></action>` {
			t.Fatal(f.writes(), f.bodies)
		}
	})
	bubble(t, func(t *testing.T, f *fake) { // an answer without the member is no answer
		f.on("GET /storagedomains/"+sdID, xmlAnswer(200, sdXML(sdID, "unattached", "")))
		f.on("POST /storagedomains/"+sdID+"/isattached", complete)
		_, err := f.site().IsAttached(t.Context(), StorageDomain{ID: sdID, Status: "unattached"}, hoID)
		wantCode(t, err, CodeBadReply)
	})
	bubble(t, func(t *testing.T, f *fake) { // meanwhile somebody attached it: a repeat would take its storage away
		f.on("GET /storagedomains/"+sdID, xmlAnswer(200, sdXML(sdID, "", dcID)))
		f.on("POST /storagedomains/"+sdID+"/isattached", fault(409, "Operation Failed", "[Cannot check. Related operation is currently in progress. Please try again later.]"))
		_, err := f.site().IsAttached(t.Context(), StorageDomain{ID: sdID, Status: "unattached"}, hoID)
		wantCode(t, err, CodeRefused)
		if len(f.writes()) != 1 {
			t.Fatal(f.writes())
		}
	})
}

func TestMasterDomain(t *testing.T) {
	master := func(id string) string {
		return strings.Replace(sdXML(id, "active", dcID), "<type>", "<master>true</master><type>", 1)
	}
	for _, c := range []struct {
		list string
		code Code
	}{
		{sdXML("s1", "active", dcID) + master("s2"), ""}, {sdXML("s1", "active", dcID), CodeNotFound}, {"", CodeNotFound}, {master("s1") + master("s2"), CodeBadReply},
	} {
		bubble(t, func(t *testing.T, f *fake) {
			f.on("GET /datacenters/"+dcID+"/storagedomains", xmlAnswer(200, "<storage_domains>"+c.list+"</storage_domains>"))
			sd, err := f.site().MasterDomain(t.Context(), dcID)
			if c.code == "" && (err != nil || sd.ID != "s2") || c.code != "" && !HasCode(err, c.code) {
				t.Error(sd, err)
			}
		})
	}
}

// TestCutShutdownIsSettled: the caller gives up while the request is under way; its correlation id settles it later.
func TestCutShutdownIsSettled(t *testing.T) {
	bubble(t, func(t *testing.T, f *fake) {
		f.vmIs(func() string { return vmXML(1, "up") })
		ctx, cancel := context.WithCancel(t.Context())
		f.handle("POST /vms/"+vmID(1)+"/shutdown", func(*http.Request, string) answer { cancel(); return answer{after: time.Hour} })
		_, err := f.site().ShutdownVM(ctx, vmID(1), ShutdownOptions{})
		wantCode(t, err, CodeCancelled)
		f.on("GET /events", xmlAnswer(200, "<events>"+eventXML(5, 76, "<correlation_id>run-1</correlation_id>")+"</events>"))
		if reached, err := f.site().ShutdownReached(t.Context(), "run-1"); err != nil || !reached {
			t.Fatal(reached, err)
		}
		if reached, err := f.site().ShutdownReached(t.Context(), "run-2"); err != nil || reached {
			t.Fatal(reached, err)
		}
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	})
}
