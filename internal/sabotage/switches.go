// Package sabotage names the safety behaviours of drrun and lets a test remove one of them, to see that some test notices. In a
// program that is built without the tag sabotage nothing can be removed: On is the constant false there, and the compiler drops what
// stands behind it. No plan, flag or environment variable reaches it. `make sabotage` prints the matrix.
//
// The package imports nothing, so that every other one may ask it.
package sabotage

// Switch removes one safety behaviour while it is on.
type Switch string

// The switches. All has them with what each removes.
const (
	AnswerOverruled     Switch = "evidence-answer-overruled"
	ContradictionPasses Switch = "evidence-contradiction-forgiven"
	ConfirmedForEver    Switch = "evidence-confirmation-never-expires"
	EvidenceNotRenewed  Switch = "evidence-not-renewed"
	LookUnbounded       Switch = "evidence-look-unbounded"
	UnreleasedAccepted  Switch = "evidence-unreleased-accepted"
	NotShownIsReleased  Switch = "evidence-not-shown-is-released"
	FaultIsSilence      Switch = "evidence-fault-is-silence"
	SilenceIsProof      Switch = "evidence-silence-is-proof"
	ConfirmationKept    Switch = "evidence-confirmation-kept-on-resume"
	StartWithoutGate    Switch = "start-without-gate"
	AttachNotJudged     Switch = "attach-without-gate"
	YesIsEvidence       Switch = "yes-answers-evidence"
	ClockBelieved       Switch = "clock-set-back-believed"
	PastForgotten       Switch = "clock-behind-the-journal-believed"

	HALeftOn          Switch = "ha-left-on"
	ShutdownTwice     Switch = "second-shutdown"
	ReleaseWhileUp    Switch = "release-without-waiting-for-down"
	StoreNotWritten   Switch = "ovf-store-not-written"
	IgnoredIsWritten  Switch = "1052-counts-as-written"
	AsOfNotCompared   Switch = "as-of-not-compared"
	StoreProofSkipped Switch = "store-proof-skipped"

	LeaveUnheld      Switch = "source-left-before-target-holds"
	LeaveUnarrived   Switch = "source-left-with-missing-vms"
	CleanUnrebooted  Switch = "clean-without-boot-evidence"
	CleanBlindly     Switch = "clean-without-the-other-site"
	StrangersIgnored Switch = "strangers-ignored"
	RemoveFormats    Switch = "remove-formats"
	RollbackLate     Switch = "rollback-after-promotion"

	ImportNamed      Switch = "import-with-name"
	WrongDomainKept  Switch = "import-wrong-domain-kept"
	LUNsNotCompared  Switch = "lun-comparison-skipped"
	OriginalsIgnored Switch = "source-luns-not-looked-for"
	DisksUnasked     Switch = "disk-entries-removed-unasked"
	FormatUpgraded   Switch = "format-upgraded-without-consent"
	StatusTrusted    Switch = "answer-trusted-without-reading"
	NICsUnread       Switch = "nics-not-read-back"
	LeasesNotAwaited Switch = "lease-wait-skipped"
	BlindHosts       Switch = "blind-hosts-ignored"

	WriteAnything   Switch = "write-outside-the-facts"
	PermitsIgnored  Switch = "permits-not-needed"
	IntentNotSynced Switch = "intent-not-synced"
	StepRepeated    Switch = "recorded-step-repeated"
	CutNotAsked     Switch = "cut-step-not-asked-about"
	StartRepeated   Switch = "cut-start-repeated"
	LabelsNotTaken  Switch = "lock-labels-not-taken"
	LabelsNotReread Switch = "lock-labels-not-reread"
	FileLockSkipped Switch = "file-lock-not-taken"
	SecretsWritten  Switch = "secrets-not-redacted"

	MirrorNotAwaited Switch = "mirror-not-awaited"
	LocksNotRenewed  Switch = "locks-not-renewed"
	OldJournalTaken  Switch = "old-journal-taken"

	TrialMayChange Switch = "trial-may-change"
)

// Behaviour is what a switch removes.
type Behaviour struct {
	Switch    Switch
	Removes   string // the behaviour, as the operator relies on it
	Invariant string // of docs/design/020-invariants.md
	File      string // where it stands
}

// All lists every switch, in the order of the matrix.
func All() []Behaviour {
	return []Behaviour{
		{AnswerOverruled, "a source that answers is overruled by nobody's word", "I1", "stdlib/evidence.go"},
		{ContradictionPasses, "a source that answered voids the confirmation for good", "I1", "stdlib/evidence.go"},
		{ConfirmedForEver, "a confirmation counts for 30 minutes", "I1", "stdlib/evidence.go"},
		{EvidenceNotRenewed, "evidence is collected anew for each start", "I1", "stdlib/evidence.go"},
		{LookUnbounded, "what a look of more than 60 s found is too old", "I1", "stdlib/evidence.go"},
		{UnreleasedAccepted, "released are only storage domains seen unattached or in maintenance", "I1", "stdlib/evidence.go"},
		{NotShownIsReleased, "a storage domain that the source does not show proves nothing", "I1", "stdlib/evidence.go"},
		{FaultIsSilence, "an engine that answers with an error is no silent one", "I1", "stdlib/evidence.go"},
		{SilenceIsProof, "silence alone is no proof", "I1", "stdlib/evidence.go"},
		{ConfirmationKept, "a resumed run starts without the old confirmation", "I1", "plans/runner/resume.go"},
		{StartWithoutGate, "no start request leaves without the gate", "I1", "stdlib/vm.go"},
		{AttachNotJudged, "no attach request leaves without the gate, repeated or not", "I1", "stdlib/writes.go"},
		{YesIsEvidence, "--yes answers nothing about evidence", "I1", "cmd/drrun/ask.go"},
		{ClockBelieved, "a clock that is set back makes no evidence look fresh", "I1", "engine/timekeeper.go"},
		{PastForgotten, "no run goes on before the last moment that it recorded", "I6", "plans/runner/clock_back.go"},

		{HALeftOn, "high availability is off before a shutdown", "I1", "stdlib/shutdown.go"},
		{ShutdownTwice, "a VM is asked to shut down once", "I2", "ovirt/shutdown.go"},
		{ReleaseWhileUp, "a VM is seen down before its storage is released", "I6", "stdlib/shutdown.go"},
		{StoreNotWritten, "OVF stores are written after the last stop", "I6", "stdlib/release.go"},
		{IgnoredIsWritten, "only event 199 says that an OVF store was written", "I6", "ovirt/ovfstore.go"},
		{AsOfNotCompared, "a copy from before the last stop is refused", "I6", "stdlib/last_write.go"},
		{StoreProofSkipped, "an OVF store that shows an older state stops the run", "I6", "stdlib/last_write.go"},

		{LeaveUnheld, "the source keeps a storage domain until the target has it active", "I2", "stdlib/leave.go"},
		{LeaveUnarrived, "the source keeps a storage domain whose VMs the target does not have", "I2", "stdlib/leave.go"},
		{CleanUnrebooted, "what is stale leaves only when every host there booted since, or is off", "I1", "stdlib/stale.go"},
		{CleanBlindly, "what is stale leaves only while the other site holds everything", "I2", "stdlib/stale.go"},
		{StrangersIgnored, "a storage domain with VMs of others does not leave", "I7", "stdlib/leave.go"},
		{RemoveFormats, "a removal never formats", "I2", "ovirt/release.go"},
		{RollbackLate, "a run is not undone after its storage was promoted", "I6", "plans/runner/way_back.go"},

		{ImportNamed, "an import carries no name, so it can create nothing", "I2", "ovirt/place.go"},
		{WrongDomainKept, "an import that brought another storage domain is taken out and fails", "I7", "ovirt/storage.go"},
		{LUNsNotCompared, "a block domain on other LUNs than the plan's is taken out and fails", "I7", "ovirt/place.go"},
		{OriginalsIgnored, "nothing is imported while a host sees a LUN of the source", "I1", "stdlib/iscsi.go"},
		{DisksUnasked, "of disks only the entry of a LUN that no VM has is removed", "I2", "ovirt/lundisk.go"},
		{FormatUpgraded, "an attach that upgrades the storage format needs consent", "I2", "ovirt/storage.go"},
		{StatusTrusted, "a registration counts when the VM is seen", "I3", "ovirt/register.go"},
		{NICsUnread, "every NIC is verified after the registration", "I3", "stdlib/vm.go"},
		{LeasesNotAwaited, "nothing is attached before leases of lost hosts have expired", "I1", "stdlib/lease_wait.go"},
		{BlindHosts, "nothing is attached that a host cannot see", "I2", "stdlib/visibility.go"},

		{WriteAnything, "only objects of the facts are changed", "I7", "stdlib/writes.go"},
		{PermitsIgnored, "letting go of something needs a permit", "I7", "stdlib/writes.go"},
		{IntentNotSynced, "an intent is on disk before its request leaves", "I3", "engine/run.go"},
		{StepRepeated, "a hook or step whose outcome is recorded does not run again", "I3", "engine/run.go"},
		{CutNotAsked, "a person is asked about a hook that was cut and must not run twice", "I3", "engine/run.go"},
		{StartRepeated, "a VM whose start was reached is not started again", "I1", "stdlib/vm.go"},
		{LabelsNotTaken, "a run locks its storage domains in the engines", "I4", "plans/runner/locks.go"},
		{LabelsNotReread, "the locks are read back before each stage", "I4", "engine/remote_locks.go"},
		{FileLockSkipped, "a run locks its storage domains on its machine", "I4", "engine/store.go"},
		{SecretsWritten, "the text filter keeps secrets out of the journal", "I5", "plans/runner/passwords.go"},

		{MirrorNotAwaited, "a record is in the mirror before it counts", "I3", "engine/journal.go"},
		{LocksNotRenewed, "a run that is taken over gets locks of its own", "I4", "engine/remote_locks.go"},
		{OldJournalTaken, "a run does not go on from an old copy of its journal", "I3", "plans/runner/mirror.go"},

		{TrialMayChange, "what is tried on a plan, outside of a run, changes nothing", "I7", "plans/runner/trial.go"},
	}
}
