package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"drrun/plans"
)

const goingOnPage = "../../docs/070-going-on.md"

// goingOnHooks make the run of the page wait in the middle, then stop at a fault of the plan, then finish with 4.
const goingOnHooks = `plan:on("before_rank", function(ctx)
  if ctx.action == "failover" then return ctx:prompt { name = "cooling", text = "Is the cooling of the room on?" } end
end, { as = "cooling" })
plan:on("before_start", function(ctx, vm)
  if ctx.action == "failover" and vm.name == "vm1" then tostring(vm.name):nonsense() end
end, { as = "dns" })
plan:on("after_start", function(ctx, vm)
  if vm.name == "vm3" and ctx.run.attempt == 3 then error("no ticket system") end
end, { as = "ticket", on_error = "continue" })
return plan
`

// TestGoingOnPage runs every command of docs/070-going-on.md, and looks up every code that it explains.
func TestGoingOnPage(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile(goingOnPage)
	if err != nil {
		t.Fatal(err)
	}
	tour := newTour(t, t.TempDir())
	tour.script.WriteString(startLab("drrun lab --speed 60") + "\nsource ./lab.env\ndrrun " + strings.Join(labGenerate("primary-ca.pem", "secondary-ca.pem"), " ") + "\n")
	tour.script.WriteString("sed -i 's/rank = 0, boot/rank = 0, on_error = \"stop\", boot/; /^return plan$/d' plan.lua\ncat >> plan.lua <<'END'\n" + goingOnHooks + "END\n")
	tour.add(string(page))
	if tour.commands < 25 {
		t.Fatalf("found %d commands only:\n%s", tour.commands, tour.script.String())
	}
	out := tour.run()
	for _, want := range []string{
		"waits for 1 answer", "SKIPPED: done, and not done again", "interrupted, can be resumed", "stopped, can be resumed",
		"its function is the same, other lines of plan.lua have changed", "failover of Plan_Recovery: finished in part", "prompt promote_storage:all",
		"repeats prompt:promote_storage:all", "failover of Plan_Recovery: done", "rollback of Plan_Recovery: done", "can-be-undone",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the page did not show %q", want)
		}
	}
	end := tour.worlds()[len(tour.worlds())-1]
	for _, v := range end.Violations {
		t.Errorf("violation: %s: %s", v.Kind, v.Text)
	}
	if len(end.Sites[plans.Secondary].VMs) == 0 {
		t.Error("the VMs are not where the rollback had left them")
	}
	explainsCodes(t, string(page), 10)
	if t.Failed() {
		t.Log(out)
	}
}

// explainsCodes fails where a page explains a code that drrun does not have, or fewer than there must be.
func explainsCodes(t *testing.T, page string, atLeast int) {
	t.Helper()
	source := ownSource(t)
	codes := regexp.MustCompile("(?m)^\\| (`[a-z-]+`(?:, `[a-z-]+`)*) \\|.*\\|.*\\|$").FindAllStringSubmatch(page, -1)
	if len(codes) < atLeast {
		t.Errorf("found %d codes only", len(codes))
	}
	for _, row := range codes {
		for code := range strings.SplitSeq(row[1], ", ") {
			if code = strings.Trim(code, "`"); !strings.Contains(source, `"`+code+`"`) && !strings.Contains(source, `= "`+code) {
				t.Errorf("the page explains the code %q, which drrun does not have", code)
			}
		}
	}
}
