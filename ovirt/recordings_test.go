package ovirt

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files")

// TestRecordings reads answers of a real engine, and compares all that the client took from them.
func TestRecordings(t *testing.T) {
	decode := map[string]func(*document) (any, error){
		"datacenters":    func(d *document) (any, error) { return decodeDataCenters(d) },
		"clusters":       func(d *document) (any, error) { return decodeClusters(d) },
		"hosts":          func(d *document) (any, error) { return decodeHosts(d) },
		"networks":       func(d *document) (any, error) { return decodeNetworks(d) },
		"vnicprofiles":   func(d *document) (any, error) { return decodeVNICProfiles(d) },
		"storagedomains": func(d *document) (any, error) { return decodeDomains(d) },
		"attached":       func(d *document) (any, error) { return decodeDomains(d) },
		"templates":      func(d *document) (any, error) { return decodeTemplates(d) },
		"vms":            func(d *document) (any, error) { return decodeVMs(d) },
		"nics":           func(d *document) (any, error) { return decodeNICs(d) },
		"statistics": func(d *document) (any, error) {
			list, err := decodeBootStatistic(d)
			for _, st := range list {
				if st.name == "boot.time" {
					return st.value, err
				}
			}
			return nil, err
		},
	}
	files, err := filepath.Glob("testdata/rhv-4.3/*.xml")
	if err != nil || len(files) != len(decode) {
		t.Fatal(files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Base(file)
		got, err := decode[name[:len(name)-len(".xml")]](newDocument(bytes.NewReader(text)))
		if err != nil {
			t.Fatal(name, err)
		}
		encoded, err := json.MarshalIndent(got, "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		encoded = append(encoded, '\n')
		golden := file[:len(file)-len(".xml")] + ".golden.json"
		if *update {
			if err := os.WriteFile(golden, encoded, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil || !bytes.Equal(want, encoded) {
			t.Errorf("%s: %v\ngot %s", name, err, encoded)
		}
	}
}

// FuzzDocuments: no input makes a decoder panic, write to stdout or accept a document that ends early.
func FuzzDocuments(f *testing.F) {
	files, _ := filepath.Glob("testdata/rhv-4.3/*.xml")
	for _, file := range files {
		if text, err := os.ReadFile(file); err == nil {
			f.Add(text)
		}
	}
	for _, c := range readCalls {
		f.Add([]byte(c.good))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		_, vmsErr := decodeVMs(newDocument(bytes.NewReader(text)))
		_, _ = decodeEvents(newDocument(bytes.NewReader(text)))
		_, _ = decodeDomain(newDocument(bytes.NewReader(text)))
		_, _ = decodeAction(newDocument(bytes.NewReader(text)))
		_, _ = decodeProduct(newDocument(bytes.NewReader(text)))
		_, _, _ = readFault("application/xml", bytes.NewReader(text))
		if vmsErr == nil {
			end := bytes.LastIndexByte(text, '>')
			if _, err := decodeVMs(newDocument(bytes.NewReader(text[:end]))); err == nil && !bytes.HasSuffix(bytes.TrimSpace(text), []byte("->")) && !bytes.HasSuffix(bytes.TrimSpace(text), []byte("?>")) {
				t.Fatalf("accepted without its end: %q", text[:end])
			}
		}
	})
}
