package ovirt

import (
	"context"
	"errors"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

var importSpec = ImportSpec{ID: sdID, Type: "nfs", Address: "192.168.122.210", Path: "/nfs_ds_replica", HostID: hoID}

const otherID = "723b4112-1502-4b01-83a7-2ba87d1bbb35"

func connectionsXML(address, path string) answer {
	return xmlAnswer(200, `<storage_connections><storage_connection id="k0"><address>x</address><path>/y</path></storage_connection>`+
		`<storage_connection id="k1"><address>`+address+`</address><path>`+path+`</path><type>nfs</type></storage_connection></storage_connections>`)
}

func TestImportSendsIDAndNoName(t *testing.T) {
	bubble(t, func(t *testing.T, f *fake) {
		known := false
		f.handle("POST /storagedomains", func(*http.Request, string) answer { known = true; return xmlAnswer(201, sdXML(sdID, "unknown", "")) })
		f.handle("GET /storagedomains/"+sdID, func(*http.Request, string) answer {
			if known {
				return xmlAnswer(200, sdXML(sdID, "unattached", ""))
			}
			return notFound
		})
		sd, changed, err := f.site().ImportDomain(t.Context(), importSpec)
		if err != nil || !changed || sd.Status != "unattached" || sd.Name != "nfs_ds" {
			t.Fatal(sd, changed, err)
		}
		want := `<storage_domain id="` + sdID + `"><type>data</type><host id="` + hoID + `"></host><storage><type>nfs</type><address>192.168.122.210</address><path>/nfs_ds_replica</path></storage></storage_domain>`
		if f.bodies[0] != want {
			t.Fatalf("body %s", f.bodies[0])
		}
		if w := f.hooked[0]; w.Op != OpImportDomain || w.Site != "secondary" || w.Subject.ID != sdID || string(w.Body) != want || w.Path != "/storagedomains" {
			t.Fatalf("%+v", w)
		}
	})
}

func TestImportRefusesWhatItCannotExpress(t *testing.T) {
	bubble(t, func(t *testing.T, f *fake) {
		for _, spec := range []ImportSpec{
			{Type: "iscsi", HostID: hoID}, {ID: sdID, Type: "fcp"}, {ID: sdID, Type: "managed_block_storage", HostID: hoID}, {ID: sdID, Type: "localfs", HostID: hoID, Path: "/x"}, {Type: "nfs", Address: "a", Path: "/x", HostID: hoID},
			{ID: sdID, Type: "nfs", Path: "/x", HostID: hoID}, {ID: sdID, Type: "nfs", Address: "a", HostID: hoID}, {ID: sdID, Type: "nfs", Address: "a", Path: "/x"},
			{ID: sdID, Type: "posixfs", Path: "/x", HostID: hoID},
		} {
			_, _, err := f.site().ImportDomain(t.Context(), spec)
			wantCode(t, err, CodeBadRequest)
		}
		if len(f.log) != 0 {
			t.Fatal(f.log)
		}
	})
}

func TestImportKnownElsewhere(t *testing.T) {
	bubble(t, func(t *testing.T, f *fake) {
		f.on("GET /storagedomains/"+sdID, xmlAnswer(200, strings.Replace(sdXML(sdID, "", dcID), "_replica", "", 1)))
		_, changed, err := f.site().ImportDomain(t.Context(), importSpec)
		e := wantCode(t, err, CodeConflict)
		if changed || len(f.writes()) != 0 || !strings.Contains(e.State, dcID) || !strings.Contains(err.Error(), "192.168.122.210:/nfs_ds and not at 192.168.122.210:/nfs_ds_replica") {
			t.Fatal(err)
		}
	})
}

func TestImportOfAnotherDomainIsTakenOut(t *testing.T) {
	for _, c := range []struct {
		name     string
		other    answer // what the global collection says of the other one
		delete   answer
		state    string
		requests int
	}{
		{"taken out", xmlAnswer(200, sdXML(otherID, "unattached", "")), complete, "was taken out", 2},
		{"attached meanwhile", xmlAnswer(200, sdXML(otherID, "", dcID)), complete, "left alone", 1},
		{"cannot be taken out", xmlAnswer(200, sdXML(otherID, "unattached", "")), fault(409, "Operation Failed", "[no host]"), "could not be taken out of the engine again: [no host]", 2},
	} {
		bubble(t, func(t *testing.T, f *fake) {
			removed := false
			f.on("GET /storagedomains/"+sdID, notFound)
			f.on("POST /storagedomains", xmlAnswer(201, sdXML(otherID, "unknown", "")))
			f.handle("GET /storagedomains/"+otherID, func(*http.Request, string) answer {
				if removed {
					return notFound
				}
				return c.other
			})
			f.handle("DELETE /storagedomains/"+otherID, func(r *http.Request, _ string) answer {
				if r.URL.RawQuery != "host="+hoID {
					t.Errorf("query %s", r.URL.RawQuery)
				}
				removed = c.delete.status == 200
				return c.delete
			})
			_, _, err := f.site().ImportDomain(t.Context(), importSpec)
			e := wantCode(t, err, CodeWrongObject)
			if !strings.Contains(e.State, c.state) || len(f.writes()) != c.requests {
				t.Errorf("%s: %v; %v", c.name, err, f.writes())
			}
		})
	}
}

func TestImportOfAReplicaThatIsNotPromoted(t *testing.T) {
	for _, status := range []int{400, 500} {
		bubble(t, func(t *testing.T, f *fake) {
			removed := false
			f.on("GET /storagedomains/"+sdID, notFound)
			f.on("GET /storagedomains", xmlAnswer(200, "<storage_domains/>"))
			f.on("POST /storagedomains", fault(status, "Operation Failed", "[Problem while trying to mount target]"))
			f.handle("GET /storageconnections", func(*http.Request, string) answer {
				if removed {
					return xmlAnswer(200, "<storage_connections/>")
				}
				return connectionsXML("192.168.122.210", "/nfs_ds_replica/")
			})
			f.handle("DELETE /storageconnections/k1", func(*http.Request, string) answer { removed = true; return complete })
			_, changed, err := f.site().ImportDomain(t.Context(), importSpec)
			code := CodeBadRequest
			if status == 500 {
				code = CodeEngineError
			}
			e := wantCode(t, err, code)
			if changed || e.Hint != importSpec.replicaHint("secondary") || !removed || !strings.Contains(err.Error(), "mount target") {
				t.Fatal(err, f.writes())
			}
			wantLines(t, f.writes(), "POST /storagedomains", "DELETE /storageconnections/k1?host="+hoID)
			if f.hooked[1].Op != OpRemoveConnection {
				t.Fatalf("%+v", f.hooked[1])
			}
		})
	}
}

func TestBlockImportIsSaidToBeOne(t *testing.T) {
	bubble(t, func(t *testing.T, f *fake) {
		spec := ImportSpec{ID: sdID, Type: "iscsi", HostID: hoID, LUNs: []string{"3600b"}, OtherLUNs: []string{"3600a"}, Name: "san1"}
		f.on("GET /storagedomains/"+sdID, notFound, xmlAnswer(200, blockXML("unattached", "3600b")))
		f.on("POST /storagedomains", xmlAnswer(201, blockXML("unknown", "3600b")))
		_, changed, err := f.site().ImportDomain(t.Context(), spec)
		want := `<storage_domain id="` + sdID + `"><import>true</import><type>data</type><host id="` + hoID + `"></host><storage><type>iscsi</type></storage></storage_domain>`
		if err != nil || !changed || f.bodies[0] != want {
			t.Fatal(changed, err, f.bodies)
		}
	})
}

// TestBlockImportOfOtherLUNs imports a domain of the right id from LUNs that are not the replica's: the entry leaves the engine again.
func TestBlockImportOfOtherLUNs(t *testing.T) {
	for name, c := range map[string]struct {
		luns, others, found []string
		words               string
	}{
		"the original":      {nil, []string{"3600a"}, []string{"3600a"}, "which is the one of the other site"},
		"another one":       {[]string{"3600b"}, nil, []string{"3600c"}, "it lies on LUN 3600c, and the plan says LUN 3600b"},
		"one of two":        {[]string{"3600b", "3600c"}, nil, []string{"3600b"}, "the plan says LUN 3600b, 3600c"},
		"one more":          {[]string{"3600b"}, []string{"3600a"}, []string{"3600b", "3600d"}, "it lies on LUN 3600b, 3600d"},
		"half the original": {[]string{"3600b", "3600c"}, []string{"3600a"}, []string{"3600b", "3600a"}, "which is the one of the other site"},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, f *fake) {
				added, removed := false, false
				f.handle("GET /storagedomains/"+sdID, func(*http.Request, string) answer {
					if !added || removed {
						return notFound
					}
					return xmlAnswer(200, blockXML("unattached", c.found...))
				})
				f.handle("POST /storagedomains", func(*http.Request, string) answer {
					added = true
					return xmlAnswer(201, blockXML("unknown", c.found...))
				})
				f.handle("DELETE /storagedomains/"+sdID, func(*http.Request, string) answer { removed = true; return complete })
				spec := ImportSpec{ID: sdID, Type: "fcp", HostID: hoID, LUNs: c.luns, OtherLUNs: c.others}
				_, _, err := f.site().ImportDomain(t.Context(), spec)
				if e := wantCode(t, err, CodeWrongObject); !removed || !strings.Contains(err.Error(), c.words) || !strings.Contains(e.State, "taken out of the engine again") {
					t.Fatal(err, removed)
				}
				// Known from an earlier time, it is nobody's to be taken out.
				removed = false
				_, changed, err := f.site().ImportDomain(t.Context(), spec)
				if wantCode(t, err, CodeConflict); changed || removed || !strings.Contains(err.Error(), c.words) {
					t.Fatal(err, changed, removed)
				}
			})
		})
	}
}

func TestLoginHidesThePassword(t *testing.T) {
	bubble(t, func(t *testing.T, f *fake) {
		f.on("POST /hosts/"+hoID+"/iscsilogin", complete)
		target := ISCSITarget{Address: "fd00::1", Port: 3260, IQN: "iqn.x:a", Username: "drrun", Password: "s3cret<&>"}
		if err := f.site().LogInISCSI(t.Context(), Host{ID: hoID, Name: "host1"}, target); err != nil {
			t.Fatal(err)
		}
		sent := "<action><iscsi><address>fd00::1</address><password>s3cret&lt;&amp;&gt;</password><port>3260</port><target>iqn.x:a</target><username>drrun</username></iscsi></action>"
		if told := string(f.hooked[0].Body); f.bodies[0] != sent || strings.Contains(told, "s3cret") || !strings.Contains(told, "<password>***</password>") || f.hooked[0].Subject.Name != "host1 at [fd00::1]:3260/iqn.x:a" {
			t.Fatalf("sent %s\ntold %s of %+v", f.bodies[0], told, f.hooked[0].Subject)
		}
	})
}

func TestLoginOfTheWrongUser(t *testing.T) {
	bubble(t, func(t *testing.T, f *fake) {
		f.on("POST /hosts/"+hoID+"/iscsilogin", fault(400, "Operation Failed", "[Failed to login to iSCSI node due to authorization failure]"))
		err := f.site().LogInISCSI(t.Context(), Host{ID: hoID, Name: "host1"}, ISCSITarget{Address: "10.0.0.1", Port: 3260, IQN: "iqn.x:a", Username: "u", Password: "p"})
		if e := wantCode(t, err, CodeBadRequest); !strings.Contains(e.Hint, "CHAP") || !strings.Contains(err.Error(), "10.0.0.1:3260/iqn.x:a") || len(f.writes()) != 1 {
			t.Fatal(err, e.Hint, f.writes())
		}
	})
}

// TestAttachUpgradesNothingUnasked attaches a domain to a data center of a newer storage format (ovirt-engine
// AttachStorageDomainToPoolCommand.java, updateStorageDomainFormatIfNeeded; VersionStorageFormatUtil.java).
func TestAttachUpgradesNothingUnasked(t *testing.T) {
	old := strings.Replace(sdXML(sdID, "unattached", ""), "<type>", "<storage_format>v4</storage_format><type>", 1)
	for name, dc := range map[string]string{
		"newer":                `<status>up</status><storage_format>v5</storage_format>`,
		"newer, without disks": `<status>uninitialized</status><storage_format>v4</storage_format><version><major>4</major><minor>7</minor></version>`,
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, f *fake) {
				f.on(attachedRoute, notFound)
				f.on("GET /storagedomains/"+sdID, xmlAnswer(200, old))
				f.on("GET /datacenters/"+dcID, xmlAnswer(200, `<data_center id="`+dcID+`"><name>Default</name>`+dc+`</data_center>`))
				f.on("GET /events", xmlAnswer(200, "<events/>"))
				f.on("POST /datacenters/"+dcID+"/storagedomains", fault(409, "Operation Failed", "[no]"))
				_, _, err := f.site().AttachDomain(t.Context(), sdID, dcID, AttachOptions{})
				if e := wantCode(t, err, CodeRefused); len(f.writes()) != 0 || !strings.Contains(e.Hint, "upgrade_format") {
					t.Fatal(err, f.writes())
				}
				_, _, err = f.site().AttachDomain(t.Context(), sdID, dcID, AttachOptions{UpgradeFormat: true})
				if wantCode(t, err, CodeConflict); len(f.writes()) != 1 {
					t.Fatal(err, f.writes())
				}
			})
		})
	}
}

// TestPlaceThatTheEngineMutilates compares a mount of a cluster file system with what engines show of it.
func TestPlaceThatTheEngineMutilates(t *testing.T) {
	for _, c := range []struct {
		address, path, shownAddress, shownPath string
		blurred                                bool
	}{
		{"10.0.0.1", "/a", "10.0.0.1", "/a", false}, {"[fd00::1]", "/a", "[fd00::1]", "/a", false}, {"", "/dev/x", "", "/dev/x", false},
		{"mon1:6789,mon2:6789", "/a", "mon1", "6789,mon2", true}, {"mon1:6789", "/a", "mon1", "6789", true}, {"mon1,mon2", "/a", "mon1,mon2", "/a", false},
	} {
		spec := ImportSpec{Type: "posixfs", Address: c.address, Path: c.path}
		address, path := ShownPlace(c.address, c.path)
		if address != c.shownAddress || path != c.shownPath || !spec.at(address, path) || spec.blurred() != c.blurred || spec.at(address, path+"x") {
			t.Errorf("%s:%s is shown as %s %s, blurred %v", c.address, c.path, address, path, spec.blurred())
		}
	}
}

func TestImportOverAnOrphanedConnection(t *testing.T) {
	bubble(t, func(t *testing.T, f *fake) {
		removed, known := false, false
		f.handle("GET /storagedomains/"+sdID, func(*http.Request, string) answer {
			if known {
				return xmlAnswer(200, sdXML(sdID, "unattached", ""))
			}
			return notFound
		})
		f.on("GET /storagedomains", xmlAnswer(200, "<storage_domains/>"))
		f.handle("POST /storagedomains", func(*http.Request, string) answer {
			if !removed {
				return fault(409, "Operation Failed", "[Cannot add Storage Connection. Storage connection k1 already exists for data center.]")
			}
			known = true
			return xmlAnswer(201, sdXML(sdID, "unknown", ""))
		})
		f.on("GET /storageconnections", connectionsXML("192.168.122.210", "/nfs_ds_replica"))
		f.handle("DELETE /storageconnections/k1", func(*http.Request, string) answer { removed = true; return complete })
		_, changed, err := f.site().ImportDomain(t.Context(), importSpec)
		if err != nil || !changed || f.hooked[2].Retry == "" {
			t.Fatal(changed, err)
		}
		wantLines(t, f.writes(), "POST /storagedomains", "DELETE /storageconnections/k1?host="+hoID, "POST /storagedomains")
	})
}

func TestImportOverAnotherDomainsStorage(t *testing.T) {
	bubble(t, func(t *testing.T, f *fake) {
		f.on("GET /storagedomains/"+sdID, notFound)
		f.on("GET /storagedomains", xmlAnswer(200, "<storage_domains>"+sdXML(otherID, "", dcID)+"</storage_domains>"))
		f.on("POST /storagedomains", fault(409, "Operation Failed", "[Storage connection already exists]"))
		f.on("GET /storageconnections", connectionsXML("192.168.122.210", "/nfs_ds_replica"))
		_, _, err := f.site().ImportDomain(t.Context(), importSpec)
		e := wantCode(t, err, CodeConflict)
		if !strings.Contains(err.Error(), otherID) || e.Retryable || len(f.writes()) != 1 {
			t.Fatal(err)
		}
	})
}

// domainWorld answers the reads of an attach.
func (f *fake) domainWorld(status func() string) {
	f.handle("GET /storagedomains/"+sdID, func(*http.Request, string) answer {
		if status() == "" {
			return xmlAnswer(200, sdXML(sdID, "unattached", ""))
		}
		return xmlAnswer(200, sdXML(sdID, "", dcID))
	})
	f.handle(attachedRoute, func(*http.Request, string) answer {
		if status() == "" {
			return notFound
		}
		return xmlAnswer(200, sdXML(sdID, status(), dcID))
	})
	f.handle("GET /datacenters/"+dcID+"/storagedomains", func(*http.Request, string) answer {
		if status() == "" {
			return xmlAnswer(200, "<storage_domains/>")
		}
		return xmlAnswer(200, "<storage_domains>"+sdXML(sdID, status(), dcID)+"</storage_domains>")
	})
	f.on("GET /events", xmlAnswer(200, "<events/>"))
}

func TestAttachWaitsForActive(t *testing.T) {
	bubble(t, func(t *testing.T, f *fake) {
		state, since := "", time.Time{}
		f.domainWorld(func() string {
			if state == "locked" && time.Since(since) > 30*time.Second {
				return "active"
			}
			return state
		})
		f.handle("POST /datacenters/"+dcID+"/storagedomains", func(*http.Request, string) answer {
			state, since = "locked", time.Now()
			return xmlAnswer(201, sdXML(sdID, "locked", dcID))
		})
		sd, changed, err := f.site().AttachDomain(t.Context(), sdID, dcID, AttachOptions{})
		if err != nil || !changed || sd.Status != "active" {
			t.Fatal(sd, changed, err)
		}
		wantLines(t, f.writes(), "POST /datacenters/"+dcID+"/storagedomains")
		if f.bodies[0] != `<storage_domain id="`+sdID+`"></storage_domain>` {
			t.Fatal(f.bodies[0])
		}
	})
}

func TestAttachThatLeavesMaintenanceIsActivated(t *testing.T) {
	bubble(t, func(t *testing.T, f *fake) {
		state := ""
		f.domainWorld(func() string { return state })
		f.handle("POST /datacenters/"+dcID+"/storagedomains", func(*http.Request, string) answer {
			state = "maintenance"
			return xmlAnswer(201, sdXML(sdID, "maintenance", dcID))
		})
		f.handle("POST /datacenters/"+dcID+"/storagedomains/"+sdID+"/activate", func(*http.Request, string) answer { state = "active"; return complete })
		sd, changed, err := f.site().AttachDomain(t.Context(), sdID, dcID, AttachOptions{})
		if err != nil || !changed || sd.Status != "active" || len(f.writes()) != 2 || f.hooked[1].Op != OpActivateDomain {
			t.Fatal(sd, changed, err)
		}
	})
}

func TestActivationThatDoesNotHold(t *testing.T) {
	bubble(t, func(t *testing.T, f *fake) {
		state := "maintenance"
		f.domainWorld(func() string { return state })
		f.handle("POST /datacenters/"+dcID+"/storagedomains/"+sdID+"/activate", func(*http.Request, string) answer { state = "inactive"; return complete })
		f.on("GET /events", xmlAnswer(200, "<events>"+eventXML(9, 967, `<description>Failed to activate nfs_ds</description><storage_domain id="`+sdID+`"/>`)+"</events>"))
		_, changed, err := f.site().ActivateDomain(t.Context(), dcID, sdID, 0)
		e := wantCode(t, err, CodeEngineError)
		if !changed || e.State != "inactive" || !strings.Contains(err.Error(), "Failed to activate nfs_ds") || len(f.writes()) != 1 {
			t.Fatal(err)
		}
	})
}

func TestAttachWithAnUnreadableOVFStore(t *testing.T) {
	for name, c := range map[string]struct {
		domain string
		bad    bool
	}{"ours": {`<storage_domain id="` + sdID + `"/>`, true}, "another's": {`<storage_domain id="` + otherID + `"/>`, false}, "nobody's": {"", true}} {
		bubble(t, func(t *testing.T, f *fake) {
			state := ""
			f.domainWorld(func() string { return state })
			f.handle("POST /datacenters/"+dcID+"/storagedomains", func(*http.Request, string) answer {
				state = "active"
				return xmlAnswer(201, sdXML(sdID, "active", dcID))
			})
			f.handle("GET /events", func(r *http.Request, _ string) answer {
				old := eventXML(40, 1017, `<storage_domain id="`+sdID+`"/>`)
				if r.URL.Query().Get("max") == "1" {
					return xmlAnswer(200, "<events>"+old+"</events>")
				}
				if r.URL.Query().Get("from") != "40" {
					t.Errorf("query %s", r.URL.RawQuery)
				}
				return xmlAnswer(200, "<events>"+eventXML(41, 1017, "<description>Could not read OVF_STORE</description>"+c.domain)+"</events>")
			})
			_, changed, err := f.site().AttachDomain(t.Context(), sdID, dcID, AttachOptions{})
			if !changed || (err != nil) != c.bad {
				t.Fatal(name, changed, err)
			}
			if c.bad {
				wantCode(t, err, CodeEngineError)
			}
		})
	}
}

func TestAttachElsewhereIsRefused(t *testing.T) {
	bubble(t, func(t *testing.T, f *fake) {
		f.on("GET /storagedomains/"+sdID, xmlAnswer(200, sdXML(sdID, "", "another-dc")))
		_, _, err := f.site().AttachDomain(t.Context(), sdID, dcID, AttachOptions{})
		e := wantCode(t, err, CodeConflict)
		if !strings.Contains(e.State, "another-dc") || len(f.writes()) != 0 {
			t.Fatal(err)
		}
	})
	bubble(t, func(t *testing.T, f *fake) {
		_, _, err := f.site().AttachDomain(t.Context(), sdID, dcID, AttachOptions{})
		if e := wantCode(t, err, CodeNotFound); e.Hint != "import it first" {
			t.Fatal(err)
		}
	})
}

func TestAttachTakesItsTimeOnly(t *testing.T) {
	bubble(t, func(t *testing.T, f *fake) {
		f.domainWorld(func() string { return "locked" })
		started := time.Now()
		_, changed, err := f.site().AttachDomain(t.Context(), sdID, dcID, AttachOptions{Timeout: time.Minute})
		e := wantCode(t, err, CodeTimeout)
		if changed || e.State != "locked" || time.Since(started) != time.Minute || !strings.Contains(err.Error(), "not active after 1m0s") {
			t.Fatal(err, time.Since(started))
		}
	})
}

func TestDomainWaitsShareOneRequestATick(t *testing.T) {
	bubble(t, func(t *testing.T, f *fake) {
		f.domainWorld(func() string { return "locked" })
		s := f.site()
		done := make(chan struct{})
		for range 10 {
			go func() {
				_, _ = s.WaitStorageDomain(t.Context(), dcID, sdID, time.Minute, func(StorageDomain) (bool, error) { return false, nil })
				done <- struct{}{}
			}()
		}
		for range 10 {
			<-done
		}
		if c := s.Counters(); c.Polls > 21 {
			t.Fatalf("%+v", c)
		}
	})
}

func TestRegisterBody(t *testing.T) {
	bubble(t, func(t *testing.T, f *fake) {
		registered := false
		f.handle("GET /vms/"+vmID(1), func(r *http.Request, _ string) answer {
			if r.URL.Query().Get("follow") != follow {
				t.Error("NICs were not asked for")
			}
			if registered {
				return xmlAnswer(200, vmXML(1, "down"))
			}
			return notFound
		})
		f.handle("POST /storagedomains/"+sdID+"/vms/"+vmID(1)+"/register", func(*http.Request, string) answer { registered = true; return complete })
		vm, changed, err := f.site().RegisterVM(t.Context(), RegisterSpec{
			VMID: vmID(1), Name: "vm1", StorageDomainID: sdID, ClusterID: clID,
			NICs: []NICTarget{{"lan", "a & <b>", prID}, {"lan", "a & <b>", "other"}, {"dmz", "dmz", ""}, {"", "", prID}},
		})
		if err != nil || !changed || len(vm.NICs) != 1 || vm.NICs[0].ProfileID != prID || vm.NICs[0].MAC == "" {
			t.Fatal(vm, changed, err)
		}
		want := `<action><allow_partial_import>false</allow_partial_import><reassign_bad_macs>false</reassign_bad_macs><cluster id="` + clID + `"></cluster>` +
			`<registration_configuration><vnic_profile_mappings>` +
			`<registration_vnic_profile_mapping><from><name>a &amp; &lt;b&gt;</name><network><name>lan</name></network></from><to id="` + prID + `"><name></name><network><name></name></network></to></registration_vnic_profile_mapping>` +
			`<registration_vnic_profile_mapping><from><name>dmz</name><network><name>dmz</name></network></from><to><name></name><network><name></name></network></to></registration_vnic_profile_mapping>` +
			`</vnic_profile_mappings></registration_configuration></action>`
		if f.bodies[0] != want {
			t.Fatalf("body\n%s\nwant\n%s", f.bodies[0], want)
		}
		if len(f.requests("GET")) != 3 { // before, at once after, and once more: the background part can still fail
			t.Fatal(f.log)
		}
	})
}

func TestRegisterThatIsCompleteAndAbsent(t *testing.T) {
	bubble(t, func(t *testing.T, f *fake) {
		f.on("POST /storagedomains/"+sdID+"/vms/"+vmID(1)+"/register", complete)
		f.handle("GET /events", func(r *http.Request, _ string) answer {
			if r.URL.Query().Get("search") != "correlation_id=run-1" {
				t.Errorf("search %s", r.URL.RawQuery)
			}
			return xmlAnswer(200, "<events>"+eventXML(3, 175, "<description>Lease could not be created</description>")+"</events>")
		})
		_, changed, err := f.site().RegisterVM(t.Context(), RegisterSpec{VMID: vmID(1), Name: "db1", StorageDomainID: sdID})
		wantCode(t, err, CodeEngineError)
		if !changed || len(f.writes()) != 1 || err.Error() != `register vm "db1" on secondary: the engine said that it was registered, and does not have it: Lease could not be created` {
			t.Fatal(err)
		}
	})
}

func TestRegisterWaitsForImages(t *testing.T) {
	bubble(t, func(t *testing.T, f *fake) {
		f.on("GET /vms/"+vmID(1), xmlAnswer(200, vmXML(1, "image_locked")), xmlAnswer(200, vmXML(1, "image_locked")), xmlAnswer(200, vmXML(1, "down")))
		vm, changed, err := f.site().RegisterVM(t.Context(), RegisterSpec{VMID: vmID(1), StorageDomainID: sdID})
		if err != nil || changed || vm.Status != "down" || len(vm.NICs) != 1 {
			t.Fatal(vm, changed, err)
		}
	})
}

func TestRegisterTemplateWaitsForOK(t *testing.T) {
	bubble(t, func(t *testing.T, f *fake) {
		tmpl := func(status string) answer {
			return xmlAnswer(200, `<template id="`+tmID+`"><name>rhel9</name><status>`+status+`</status></template>`)
		}
		f.on("GET /templates/"+tmID, notFound, tmpl("locked"), tmpl("locked"), tmpl("ok"))
		f.on("POST /storagedomains/"+sdID+"/templates/"+tmID+"/register", complete)
		tm, changed, err := f.site().RegisterTemplate(t.Context(), RegisterTemplateSpec{TemplateID: tmID, StorageDomainID: sdID})
		if err != nil || !changed || tm.Status != "ok" {
			t.Fatal(tm, changed, err)
		}
	})
}

func TestUpdateNICClears(t *testing.T) {
	bubble(t, func(t *testing.T, f *fake) {
		path := " /vms/" + vmID(1) + "/nics/" + nicI
		f.on("GET"+path, xmlAnswer(200, `<nic id="n"><vnic_profile id="`+prID+`"/></nic>`), xmlAnswer(200, `<nic id="n"/>`))
		f.on("PUT"+path, xmlAnswer(200, `<nic id="n"/>`))
		if changed, err := f.site().UpdateNIC(t.Context(), vmID(1), nicI, ""); err != nil || !changed || f.bodies[0] != "<nic><vnic_profile></vnic_profile></nic>" {
			t.Fatal(changed, err, f.bodies)
		}
		f.on("GET"+path, xmlAnswer(200, `<nic id="n"/>`))
		_, err := f.site().UpdateNIC(t.Context(), vmID(1), nicI, prID)
		wantCode(t, err, CodeEngineError) // accepted and not there
	})
}

func TestStartByStatus(t *testing.T) {
	for status, c := range map[string]struct {
		code  Code
		words string
	}{
		"up": {"", ""}, "migrating": {"", ""}, "powering_up": {"", ""}, "wait_for_launch": {"", ""}, "reboot_in_progress": {"", ""}, "image_locked": {"", ""},
		"paused":         {CodeConflict, "it is paused"},
		"suspended":      {CodeConflict, "it is suspended"},
		"unknown":        {CodeConflict, "it may be running"},
		"not_responding": {CodeConflict, "it may be running"},
		"powering_down":  {CodeConflict, "shutting down"},
		"something_new":  {CodeConflict, `"something_new"`},
	} {
		bubble(t, func(t *testing.T, f *fake) {
			f.on("GET /vms/"+vmID(1), xmlAnswer(200, vmXML(1, status)), xmlAnswer(200, vmXML(1, status)), xmlAnswer(200, vmXML(1, "up")))
			r, err := f.site().StartVM(t.Context(), vmID(1), StartOptions{MayStart: func(context.Context) error {
				t.Error("asked to start")
				return nil
			}})
			if len(f.writes()) != 0 || r.Requested {
				t.Fatalf("%s: %v", status, f.writes())
			}
			if c.code == "" {
				if err != nil || r.UpAt.IsZero() {
					t.Fatal(status, r, err)
				}
				return
			}
			if e := wantCode(t, err, c.code); e.State != status || !strings.Contains(err.Error(), c.words) || e.Hint == "" && status != "something_new" {
				t.Fatal(status, err)
			}
		})
	}
}

func TestStartAsksRightBeforeTheRequest(t *testing.T) {
	bubble(t, func(t *testing.T, f *fake) {
		f.on("GET /vms/"+vmID(1), xmlAnswer(200, vmXML(1, "down")), xmlAnswer(200, vmXML(1, "down")), xmlAnswer(200, vmXML(1, "down")), xmlAnswer(200, vmXML(1, "up")))
		f.on("POST /vms/"+vmID(1)+"/start", fault(409, "Operation Failed", "[VM is locked]"), complete)
		asked := 0
		r, err := f.site().StartVM(t.Context(), vmID(1), StartOptions{MayStart: func(context.Context) error {
			if asked != len(f.hooked) {
				t.Error("not asked right before the request")
			}
			asked++
			return nil
		}})
		if err != nil || asked != 2 || !r.Requested || r.StartedAt.IsZero() || r.UpAt.Before(r.StartedAt) {
			t.Fatal(asked, r, err)
		}
		if f.bodies[0] != "<action></action>" {
			t.Fatal(f.bodies[0])
		}
	})
	bubble(t, func(t *testing.T, f *fake) {
		f.on("GET /vms/"+vmID(1), xmlAnswer(200, vmXML(1, "down")))
		no := errors.New("the source answers again")
		_, err := f.site().StartVM(t.Context(), vmID(1), StartOptions{MayStart: func(context.Context) error { return no }})
		wantCode(t, err, CodeRefused)
		if !errors.Is(err, no) || len(f.writes()) != 0 || len(f.hooked) != 0 {
			t.Fatal(err, f.writes())
		}
	})
}

func TestStartThatFallsBack(t *testing.T) {
	bubble(t, func(t *testing.T, f *fake) {
		f.on("GET /vms/"+vmID(1), xmlAnswer(200, vmXML(1, "down")), xmlAnswer(200, vmXML(1, "wait_for_launch")), xmlAnswer(200, vmXML(1, "down")))
		f.on("POST /vms/"+vmID(1)+"/start", complete)
		vm := `<vm id="` + vmID(1) + `"/>`
		f.on("GET /events", xmlAnswer(200, "<events>"+eventXML(9, 119, "<description>VM vm1 is down with error. Exit message: no lock.</description>"+vm)+
			eventXML(8, 153, "<correlation_id>run-1</correlation_id>"+vm)+eventXML(7, 119, "<description>last week</description>"+vm)+"</events>"))
		r, err := f.site().StartVM(t.Context(), vmID(1), StartOptions{})
		e := wantCode(t, err, CodeEngineError)
		if !r.Requested || e.State != "down" || !strings.Contains(err.Error(), "no lock") || strings.Contains(err.Error(), "last week") || len(f.writes()) != 1 {
			t.Fatal(r, err)
		}
	})
}

func TestStartThatIsRunAgainOnAnotherHost(t *testing.T) {
	bubble(t, func(t *testing.T, f *fake) {
		one := func(status string) answer { return xmlAnswer(200, vmXML(1, status)) }
		f.on("GET /vms/"+vmID(1), one("down"), one("wait_for_launch"), one("down"), one("wait_for_launch"), one("powering_up"), one("up"))
		f.on("POST /vms/"+vmID(1)+"/start", complete)
		if r, err := f.site().StartVM(t.Context(), vmID(1), StartOptions{}); err != nil || !r.Requested {
			t.Fatal(r, err)
		}
	})
}

func TestStartThatWasCut(t *testing.T) {
	started := "<events>" + eventXML(8, 153, "<correlation_id>run-1</correlation_id><vm id=\""+vmID(1)+"\"/>") + "</events>"
	bubble(t, func(t *testing.T, f *fake) { // it started and crashed before the first look: not started again
		f.on("GET /vms/"+vmID(1), xmlAnswer(200, vmXML(1, "down")))
		f.on("POST /vms/"+vmID(1)+"/start", reset)
		f.on("GET /events", xmlAnswer(200, started))
		_, err := f.site().StartVM(t.Context(), vmID(1), StartOptions{})
		wantCode(t, err, CodeEngineError)
		if len(f.writes()) != 1 {
			t.Fatal(f.writes())
		}
	})
	bubble(t, func(t *testing.T, f *fake) { // an earlier attempt started it
		f.on("GET /vms/"+vmID(1), xmlAnswer(200, vmXML(1, "down")))
		f.on("GET /events", xmlAnswer(200, started))
		_, err := f.site().StartVM(t.Context(), vmID(1), StartOptions{Earlier: []string{"run-1"}})
		wantCode(t, err, CodeEngineError)
		if len(f.writes()) != 0 || !strings.Contains(err.Error(), "not started twice") {
			t.Fatal(err, f.writes())
		}
	})
}

func TestStartTakesItsTimeOnly(t *testing.T) {
	bubble(t, func(t *testing.T, f *fake) {
		f.on("GET /vms/"+vmID(1), xmlAnswer(200, vmXML(1, "down")), xmlAnswer(200, vmXML(1, "powering_up")))
		f.on("POST /vms/"+vmID(1)+"/start", complete)
		began := time.Now()
		r, err := f.site().StartVM(t.Context(), vmID(1), StartOptions{Timeout: time.Minute})
		e := wantCode(t, err, CodeTimeout)
		if e.State != "powering_up" || !r.Requested || time.Since(began) != time.Minute {
			t.Fatal(err, time.Since(began))
		}
	})
}

func TestStartOfAVMThatIsGone(t *testing.T) {
	bubble(t, func(t *testing.T, f *fake) {
		_, err := f.site().StartVM(t.Context(), vmID(1), StartOptions{})
		wantCode(t, err, CodeGone)
	})
}

// TestOnlyTheEntryOfALooseLUNIsRemoved: for an image the same request erases the data, and a LUN that a VM has is the VM's.
func TestOnlyTheEntryOfALooseLUNIsRemoved(t *testing.T) {
	image := strings.NewReplacer("<storage_type>lun", "<storage_type>image").Replace(lunDiskXML)
	for name, c := range map[string]struct{ disk, loose string }{
		"an image": {image, image}, "an image that the list calls a LUN": {image, lunDiskXML}, "a LUN of a VM": {lunDiskXML, ""}, "another loose LUN": {lunDiskXML, strings.Replace(lunDiskXML, lunDiskID, lbID, 1)},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T, f *fake) {
				f.on("GET /disks/"+lunDiskID, xmlAnswer(200, c.disk))
				f.on("GET /disks", xmlAnswer(200, "<disks>"+c.loose+"</disks>"))
				changed, err := f.site().RemoveLUNDisk(t.Context(), lunDiskID)
				if wantCode(t, err, CodeRefused); changed || len(f.writes()) != 0 {
					t.Fatal(changed, err, f.writes())
				}
			})
		})
	}
}

// TestNothingDestroys reads the source of the package: I2 says that the client cannot express what destroys.
func TestNothingDestroys(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	deletes := regexp.MustCompile(`MethodDelete|"DELETE"`)
	forbidden := regexp.MustCompile(`"format"|override_luns|logical_units,|/detach|/undosnapshot|/commitsnapshot|/destroy|"force|Name +string +.xml:"name".*storage_domain`)
	found := 0
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for n, line := range strings.Split(string(text), "\n") {
			if deletes.MatchString(line) {
				found++
			}
			if !strings.HasPrefix(strings.TrimSpace(line), "//") && forbidden.MatchString(line) {
				t.Errorf("%s:%d: %s", file, n+1, line)
			}
		}
	}
	// The removal of a wrong import, of an orphaned connection, of a diskless VM, of a label, of the entry of a loose LUN, the detach, and
	// the removal of a domain.
	if found != 7 {
		t.Errorf("%d places send DELETE, 7 are known", found)
	}
}
