package runner_test

import (
	"fmt"
	"regexp"
	"sort"
	"testing"

	"drrun/ovirt/lab"
	"drrun/plans"
)

func TestZZReads(t *testing.T) {
	p := newPair(t, 4, lab.TwoSitesOptions{VMs: 60, Domains: 4})
	n := len(p.lab.Log())
	expect(t, p.planned(plans.ActionFailover, nil, nil), 0)
	id := regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f-]+`)
	count := map[string]int{}
	for _, e := range p.lab.Log()[n:] {
		if e.Method == "GET" {
			q := e.Query
			if len(q) > 30 {
				q = q[:30]
			}
			count[e.Site+" "+id.ReplaceAllString(e.Path, "ID")+"?"+id.ReplaceAllString(q, "ID")]++
		}
	}
	var keys []string
	for k := range count {
		keys = append(keys, k)
	}
	sort.Slice(keys, func(i, j int) bool { return count[keys[i]] > count[keys[j]] })
	for _, k := range keys {
		fmt.Println(count[k], k)
	}
}
