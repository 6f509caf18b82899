//go:build sabotage

package sabotage_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"drrun/internal/sabotage"
)

// witness is the tests of one package that see a behaviour.
type witness struct{ pkg, tests string }

func runner(tests string) witness { return witness{"plans/runner", tests} }

// search is the seeded search, which a clause of the gate must turn red within 1,000 seeds.
var search = runner("TestSearch")

// witnesses says which tests are to notice that a behaviour is gone. Each of them must: one that stays green is no witness.
var witnesses = map[sabotage.Switch][]witness{
	sabotage.AnswerOverruled:     {runner("TestSourceIsUp"), search},
	sabotage.ContradictionPasses: {{"stdlib", "TestGate"}, search},
	sabotage.ConfirmedForEver:    {runner("TestConfirmationExpires"), search},
	sabotage.EvidenceNotRenewed:  {runner("TestSourceComesBack|TestSourceComesBackInTheLeaseWait"), search},
	sabotage.LookUnbounded:       {{"stdlib", "TestGateSlowLook"}, search},
	sabotage.UnreleasedAccepted:  {runner("TestLookAt"), search},
	sabotage.NotShownIsReleased:  {runner("TestLookAt"), search},
	sabotage.FaultIsSilence:      {runner("TestLookAt"), search},
	sabotage.SilenceIsProof:      {runner("TestSourceIsSilentAndNobodyConfirms"), search},
	sabotage.ConfirmationKept:    {runner("TestWordOfAnEarlierAttempt"), search},
	sabotage.StartWithoutGate:    {runner("TestStartWithoutTheStage"), search},
	sabotage.AttachNotJudged:     {runner("TestRepeatedAttachLooksAgain|TestAttachAsksTheGate"), search},
	sabotage.YesIsEvidence:       {{"cmd/drrun", "TestAsk"}},
	sabotage.ClockBelieved:       {runner("TestClockSetBackKeepsEvidenceOld"), {"engine", "TestClockIsSetBack"}},
	sabotage.PastForgotten:       {runner("TestClockSetBackKeepsTheLastWrite"), runner("TestClockSetBackKeepsTheOrderOfRuns")},

	sabotage.HALeftOn:          {runner("TestHAIsOffBeforeAShutdown")},
	sabotage.ShutdownTwice:     {runner("TestShutdownIsAskedForOnce")},
	sabotage.ReleaseWhileUp:    {runner("TestPlannedFailoverAndBack")},
	sabotage.StoreNotWritten:   {runner("TestStoresAreWrittenAfterTheLastStop")},
	sabotage.IgnoredIsWritten:  {runner("TestIgnoredIsNotWritten")},
	sabotage.AsOfNotCompared:   {runner("TestOldCopyIsRefused")},
	sabotage.StoreProofSkipped: {runner("TestOldCopyIsRefused")},

	sabotage.LeaveUnheld:      {runner("TestSourceKeepsWhatTheTargetLacks")},
	sabotage.LeaveUnarrived:   {runner("TestPlannedWithAnUnreadableOVF")},
	sabotage.CleanUnrebooted:  {runner("TestCleanNeedsABoot")},
	sabotage.CleanBlindly:     {runner("TestCleanNeedsTheOtherSite")},
	sabotage.StrangersIgnored: {runner("TestCleanLeavesStrangers")},
	sabotage.RemoveFormats:    {runner("TestPlannedFailoverAndBack")},
	sabotage.RollbackLate:     {runner("TestRollbackIsRefused")},

	sabotage.ImportNamed:      {runner("TestEmptyExportStaysEmpty"), {"ovirt", "TestImportSendsIDAndNoName"}},
	sabotage.WrongDomainKept:  {{"ovirt", "TestImportOfAnotherDomainIsTakenOut"}},
	sabotage.LUNsNotCompared:  {runner("TestLUNsOfThePlan"), {"ovirt", "TestBlockImportOfOtherLUNs"}},
	sabotage.OriginalsIgnored: {runner("TestSourceLUNAtTheTarget")},
	sabotage.FormatUpgraded:   {{"ovirt", "TestAttachUpgradesNothingUnasked"}},
	sabotage.DisksUnasked:     {{"ovirt", "TestOnlyTheEntryOfALooseLUNIsRemoved"}},
	sabotage.StatusTrusted:    {{"ovirt", "TestLabLies"}},
	sabotage.NICsUnread:       {runner("TestNICsAreRepaired")},
	sabotage.LeasesNotAwaited: {runner("TestAttachWaitsForLeases")},
	sabotage.BlindHosts:       {runner("TestBlindHostKeepsTheAttachAway")},

	sabotage.WriteAnything:   {{"stdlib", "TestWriteHook"}},
	sabotage.TrialMayChange:  {runner("TestTrialChangesNothing")},
	sabotage.PermitsIgnored:  {{"stdlib", "TestWriteHook"}},
	sabotage.IntentNotSynced: {runner("TestCrashMatrix")},
	sabotage.StepRepeated:    {runner("TestCrashMatrix")},
	sabotage.CutNotAsked:     {runner("TestCrashMatrix")},
	sabotage.StartRepeated:   {runner("TestStartedVMIsDown")},
	sabotage.LabelsNotTaken:  {runner("TestLocksOfARun")},
	sabotage.LabelsNotReread: {runner("TestForeignLockInTheMiddle")},
	sabotage.FileLockSkipped: {runner("TestTwoStarters")},
	sabotage.SecretsWritten:  {runner("TestPlainPasswordIsFiltered"), runner("TestSecretsInEveryAction")},

	sabotage.MirrorNotAwaited: {{"engine", "TestMirrorHasWhatCounts"}},
	sabotage.LocksNotRenewed:  {{"engine", "TestTakenOverLocks"}},
	sabotage.OldJournalTaken:  {runner("TestLostMirrorIsRefused")},
}

// binary is the test binary of a package, and the folder in which it runs.
type binary struct{ file, folder string }

// build compiles the tests of a package with the switches in.
func build(t *testing.T, pkg string) binary {
	t.Helper()
	folder, err := filepath.Abs(filepath.Join("..", "..", pkg))
	if err != nil {
		t.Fatal(err)
	}
	b := binary{filepath.Join(t.TempDir(), filepath.Base(pkg)+".test"), folder}
	if text, err := exec.Command("go", "test", "-tags", "sabotage", "-c", "-o", b.file, "drrun/"+pkg).CombinedOutput(); err != nil {
		t.Fatalf("build the tests of %s: %v\n%s", pkg, err, text)
	}
	return b
}

// run runs tests without a behaviour; the name "" removes none.
func (b binary) run(name, tests string) (out string, red bool) {
	args := []string{"-test.timeout", "5m", "-test.run", "^(" + tests + ")$"}
	if tests == search.tests {
		args = append(args, "-seeds", "1000", "-stop-early")
	}
	cmd := exec.Command(b.file, args...)
	cmd.Dir, cmd.Env = b.folder, append(os.Environ(), "DRRUN_SABOTAGE="+name, "GOMAXPROCS=1")
	text, err := cmd.CombinedOutput()
	return string(text), err != nil
}

var (
	failed = regexp.MustCompile(`(?m)^--- FAIL: (\S+)`)
	seedOf = regexp.MustCompile(`seed=(\d+)`)
)

// TestMatrix removes each behaviour in turn and prints which test noticed. A behaviour whose removal nobody notices is not tested.
func TestMatrix(t *testing.T) {
	binaries := map[string]binary{}
	untouched := map[witness]bool{}
	for _, behaviour := range sabotage.All() {
		for _, w := range witnesses[behaviour.Switch] {
			if _, built := binaries[w.pkg]; !built {
				binaries[w.pkg] = build(t, w.pkg)
			}
			if w != search { // `make test` and `make search` play it untouched
				untouched[w] = true
			}
		}
	}
	var mu sync.Mutex
	rows := map[sabotage.Switch][]string{}
	t.Run("untouched", func(t *testing.T) {
		for w := range untouched {
			t.Run(w.tests, func(t *testing.T) {
				t.Parallel()
				if out, red := binaries[w.pkg].run("", w.tests); red {
					t.Errorf("red with every behaviour in place:\n%s", out)
				}
			})
		}
	})
	t.Run("removed", func(t *testing.T) {
		for _, behaviour := range sabotage.All() {
			t.Run(string(behaviour.Switch), func(t *testing.T) {
				t.Parallel()
				if len(witnesses[behaviour.Switch]) == 0 {
					t.Error("nobody watches it")
				}
				for _, w := range witnesses[behaviour.Switch] {
					out, red := binaries[w.pkg].run(string(behaviour.Switch), w.tests)
					seen := failed.FindStringSubmatch(out)
					verdict, seed := "red", ""
					if !red || seen == nil { // a panic or a time-out is no verdict
						verdict = "GREEN"
						t.Errorf("%s of %s does not notice:\n%s", w.tests, w.pkg, tail(out))
					} else if found := seedOf.FindStringSubmatch(out); w == search && found != nil {
						seed = found[1]
					}
					mu.Lock()
					rows[behaviour.Switch] = append(rows[behaviour.Switch],
						fmt.Sprintf("%-38s | %-9s | %-50s | %-5s | %s", behaviour.Switch, behaviour.Invariant, w.pkg+" "+w.tests, verdict, seed))
					mu.Unlock()
				}
			})
		}
	})
	fmt.Printf("%-38s | %-9s | %-50s | %-5s | %s\n", "switch", "invariant", "seen by", "", "seed")
	for _, behaviour := range sabotage.All() {
		slices.Sort(rows[behaviour.Switch])
		for _, row := range rows[behaviour.Switch] {
			fmt.Println(row)
		}
	}
}

func tail(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-15):], "\n")
}
