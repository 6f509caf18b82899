package plans

import (
	"reflect"
	"strings"
	"testing"
)

const (
	idA = "bcca8438-810f-4932-bf25-d874babd97b1"
	idB = "0b1e5a3c-0000-4000-8000-00000000000b"
)

func TestParseStorageURLs(t *testing.T) {
	t.Parallel()
	cases := []struct {
		name, in string
		want     []StorageURL
	}{
		{"nfs", "nfs://192.168.0.1:/nfsdata", []StorageURL{{Raw: "nfs://192.168.0.1:/nfsdata", Type: "nfs", Address: "192.168.0.1", Path: "/nfsdata"}}},
		{"several, spaces around, end", " nfs://a:/x ; nfs://B.Example.:/y//z/ ;", []StorageURL{
			{Raw: "nfs://a:/x", Type: "nfs", Address: "a", Path: "/x"},
			{Raw: "nfs://B.Example.:/y//z/", Type: "nfs", Address: "b.example", Path: "/y/z"}}},
		{"case of the type", "NFS://a:/x", []StorageURL{{Raw: "NFS://a:/x", Type: "nfs", Address: "a", Path: "/x"}}},
		{"ipv6", "nfs://[FD00:0::1]:/x", []StorageURL{{Raw: "nfs://[FD00:0::1]:/x", Type: "nfs", Address: "fd00::1", Path: "/x"}}},
		{"colon in the path", "nfs://a:/x:/y", []StorageURL{{Raw: "nfs://a:/x:/y", Type: "nfs", Address: "a", Path: "/x:/y"}}},
		{"iscsi", "iscsi://" + idA + ":/192.168.0.1:3260:/iqn.2006-01.com.openfiler:vm-data1", []StorageURL{{
			Raw: "iscsi://" + idA + ":/192.168.0.1:3260:/iqn.2006-01.com.openfiler:vm-data1", Type: "iscsi", DomainID: idA,
			Targets: []Target{{Address: "192.168.0.1", Port: 3260, IQN: "iqn.2006-01.com.openfiler:vm-data1"}}}}},
		{"iscsi with the printed space", "iscsi://" + strings.ToUpper(idA) + ":/192.168.0.1: 3260:/iqn.2006-01.com:a", []StorageURL{{
			Raw: "iscsi://" + strings.ToUpper(idA) + ":/192.168.0.1: 3260:/iqn.2006-01.com:a", Type: "iscsi", DomainID: idA,
			Targets: []Target{{Address: "192.168.0.1", Port: 3260, IQN: "iqn.2006-01.com:a"}}}}},
		{"iscsi, two targets of one domain", "iscsi://" + idA + ":/[fd00::1]:3260:/iqn.x:a;fcp://" + idB + ";iscsi://" + idA + ":/10.0.0.2:3260:/iqn.x:a", []StorageURL{
			{Raw: "iscsi://" + idA + ":/[fd00::1]:3260:/iqn.x:a", Type: "iscsi", DomainID: idA,
				Targets: []Target{{"fd00::1", 3260, "iqn.x:a"}, {"10.0.0.2", 3260, "iqn.x:a"}}},
			{Raw: "fcp://" + idB, Type: "fcp", DomainID: idB}}},
		{"glusterfs", "glusterfs://g1:/vol", []StorageURL{{Raw: "glusterfs://g1:/vol", Type: "glusterfs", Address: "g1", Path: "/vol"}}},
		{"posixfs", "posixfs://p1:/vol", []StorageURL{{Raw: "posixfs://p1:/vol", Type: "posixfs", Address: "p1", Path: "/vol"}}},
		{"posixfs, servers with ports", "posixfs://MON1:6789,[fd00::2]:6789,mon3:/dr//ceph/", []StorageURL{{Raw: "posixfs://MON1:6789,[fd00::2]:6789,mon3:/dr//ceph/", Type: "posixfs",
			Address: "mon1:6789,[fd00::2]:6789,mon3", Path: "/dr/ceph"}}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := ParseStorageURLs(c.in)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, c.want) {
				t.Errorf("got %+v, want %+v", got, c.want)
			}
			for _, u := range got {
				if len(u.Targets) > 1 {
					continue
				}
				again, err := ParseStorageURLs(u.String())
				if err != nil || again[0].String() != u.String() {
					t.Errorf("the normal form %s parses to %v, %v", u, again, err)
				}
			}
		})
	}
}

func TestStorageListFindings(t *testing.T) {
	t.Parallel()
	bad := []string{
		"nfs:/192.168.0.1:/nfsdata", "nfs://192.168.0.1/nfsdata", "nfs://192.168.0.1:nfsdata", "nfs://192.168.0.1:2049:/nfsdata", "nfs://192.168.0.1",
		"nfs://192.168.0.1:", "nfs://:/nfsdata", "nfs://", "nfs", "192.168.0.1:/nfsdata", "cifs://srv:/share", "localfs://data", "nfs://ser ver:/x",
		"nfs://[fd00::1:/x", "nfs://[fd00::zz]:/x", "glusterfs://g:/", "nfs://a:/x\ty",
		"iscsi://" + idA, "iscsi://12:/192.168.0.1:3260:/iqn.x:a", "iscsi://" + idA + ":/192.168.0.1:/iqn.x:a", "iscsi://" + idA + ":/192.168.0.1:99999:/iqn.x:a",
		"iscsi://" + idA + ":/192.168.0.1:3260:/vm-data1", "iscsi://" + idA + ":/192.168.0.1:3260", "iscsi://:/192.168.0.1:3260:/iqn.x:a",
		"fcp://", "fcp://prod-fc1", "", "nfs://é:/x/ö?", "nfs://gültig:/x y",
	}
	var b strings.Builder
	b.WriteString("--- one list\n")
	// The empty entry stands inside of the list: at the end it would be none.
	_, err := ParseStorageURLs(strings.Join(bad, ";") + ";nfs://ok:/x")
	b.WriteString(err.Error() + "\n")
	pairs := [][3]string{
		{"unequal lengths", "nfs://a:/x;nfs://a:/y", "nfs://b:/x"},
		{"one place on both sides", "nfs://a:/x;nfs://a:/y", "nfs://b:/x;nfs://A.://x/"},
		{"repeated entries", "nfs://a:/x;nfs://a:/x/", "nfs://b:/x;nfs://b:/x"},
		{"one target on both sides", "iscsi://" + idA + ":/10.0.0.1:3260:/iqn.x:a", "iscsi://" + idA + ":/10.0.0.1:3260:/iqn.x:a"},
		{"an id that the other list lacks", "iscsi://" + idA + ":/10.0.0.1:3260:/iqn.x:a", "iscsi://" + idB + ":/10.1.0.1:3260:/iqn.x:b"},
		{"two types", "nfs://a:/x;fcp://" + idA, "fcp://" + idA + ";glusterfs://b:/x"},
		{"empty lists", "", ""},
		{"findings of both lists", "nfs:a", "nfs://b"},
	}
	for _, p := range pairs {
		b.WriteString("--- " + p[0] + "\n")
		_, err := pairLists(p[1], p[2])
		if err == nil {
			t.Errorf("%s: no error", p[0])
			continue
		}
		b.WriteString(err.Error() + "\n")
	}
	golden(t, "storageurl.golden", b.String())
}

func TestPairStorage(t *testing.T) {
	t.Parallel()
	primary, err := ParseStorageURLs("nfs://a:/1;fcp://" + idA + ";fcp://" + idB)
	if err != nil {
		t.Fatal(err)
	}
	secondary, err := ParseStorageURLs("nfs://b:/1;fcp://" + idB + ";fcp://" + idA)
	if err != nil {
		t.Fatal(err)
	}
	pairs, err := PairStorage(primary, secondary)
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []string{"nfs://b:/1", "fcp://" + idA, "fcp://" + idB} {
		if got := pairs[i].Secondary.String(); got != want {
			t.Errorf("pair %d: got %s, want %s", i+1, got, want)
		}
	}
}

// FuzzParseTarget: a target that is read is written as it reads.
func FuzzParseTarget(f *testing.F) {
	for _, seed := range []string{"10.0.0.1:3260/iqn.2006-01.com.example:a", "[fd00::1]:3260/eui.0123", "a:1/naa.5", "a:0/iqn.x", "/", "a:1/iqn.é/x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		target, problem := parseTarget(text)
		if problem != "" {
			return
		}
		again, problem := parseTarget(target.String())
		if problem != "" || again != target {
			t.Fatalf("%q is %+v, which reads as %+v: %s", text, target, again, problem)
		}
	})
}

func FuzzParseStorageURLs(f *testing.F) {
	for _, seed := range []string{"nfs://192.168.0.1:/nfsdata;nfs://[::1]:/x", "iscsi://" + idA + ":/192.168.0.1: 3260:/iqn.x:a", "fcp://" + idA, "nfs://a:/x;;", "nfs://\xff:/", "posixfs://é:/ö;localfs:", "posixfs://m1:6789,[::1]:1:/x", "posixfs://[::1],a:/x;posixfs://,:/"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, list string) {
		urls, err := ParseStorageURLs(list)
		if err != nil {
			errs := err.(StorageURLErrors)
			if len(errs) == 0 || err.Error() == "" {
				t.Fatal("an error without findings")
			}
			for _, e := range errs {
				if e.Offset < 0 || e.Length < 0 || e.Offset+e.Length > len(e.Entry) {
					t.Fatalf("finding %+v points outside of its entry", e)
				}
			}
			return
		}
		if len(urls) == 0 {
			t.Fatal("neither URLs nor findings")
		}
		for _, u := range urls {
			// The normal form is a fixed point, and names the same place.
			again, err := ParseStorageURLs(u.String())
			if err != nil {
				t.Fatalf("normal form %q of %q: %v", u.String(), u.Raw, err)
			}
			if again[0].String() != u.String() {
				t.Fatalf("normal form %q parses to %q", u.String(), again[0].String())
			}
			if u.Type != StorageFCP && !again[0].SamePlace(u) {
				t.Fatalf("%q and its normal form are two places", u.Raw)
			}
		}
	})
}
