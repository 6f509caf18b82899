package codes

var domainCodes = []Code{
	{Name: "domain-not-at-source", Title: "The source does not know a storage domain", Meaning: "The plan names a storage domain that the source's engine has not: its id is wrong, or it was removed.", Remedy: "Compare the id with the engine's, or take the domain out of the plan."},
	{Name: "domain-not-active", Title: "A storage domain is not active at the source", Meaning: "Only an active storage domain can be put into maintenance, which is how a planned move lets go of it.", Remedy: "See whether a host of its data center is up and is SPM, and activate it; or leave it there with its VMs: --quarantine."},
	{Name: "domain-in-use", Title: "VMs outside the plan run on a storage domain", Meaning: "The storage domain cannot leave while they run, and they would be left without it.", Remedy: "Shut them down, move their disks elsewhere, or add them to the plan."},
	{Name: "domain-held", Title: "VMs outside the plan hold a storage domain", Meaning: "A preview, a VM pool, a locked disk or a delete protection keeps it where it is.", Remedy: "End what holds it, as the message says, or move those disks elsewhere."},
	{Name: "domain-disk-locked", Title: "A locked disk holds a storage domain", Meaning: "A task or a transfer works on a disk that no VM has, and the storage domain cannot go into maintenance meanwhile.", Remedy: "Wait for it, then check again."},
	{Name: "domain-known", Title: "The target knows a storage domain already", Meaning: "It is there, attached or not, and will be used as it is. Nothing has to be done."},
	{Name: "domain-active", Title: "A storage domain is active at the target already", Meaning: "It will not be imported again. Nothing has to be done."},
	{Name: "domain-stale", Title: "A storage domain is still known to the site that was left", Meaning: "An earlier failover left the entry behind. It leaves first; its content stays. Nothing has to be done."},
	{Name: "domain-at-target", Title: "A storage domain is known to the secondary site already", Meaning: "It was imported before, perhaps by an earlier test.", Remedy: "See in the engine whether that is meant."},
	{Name: "domain-name-at-target", Title: "The name of a storage domain is taken at the secondary site", Meaning: "The engine would refuse the import while another storage domain has the name.", Remedy: "Rename one of the two."},
	{Name: "domain-name-in-use", Title: "The target has another storage domain of that name", Meaning: "The engine would refuse the import.", Remedy: "Rename or remove that storage domain there."},
	{Name: "domain-elsewhere", Title: "The target has a storage domain at another place", Meaning: "It is known there under this id, with another address or path: the entry is old, or the plan is wrong.", Remedy: "Remove it there without formatting, or correct the plan."},
	{Name: "domain-in-other-data-center", Title: "A storage domain is attached to another data center", Meaning: "A storage domain belongs to one data center at a time.", Remedy: "Detach it there, or correct the plan."},
	{Name: "storage-taken", Title: "The place of a replica holds another storage domain", Meaning: "The target already uses that place for a storage domain of another id.", Remedy: "Name the replica of this storage domain."},
	{Name: "storage-format-upgrade", Title: "Attaching would upgrade a storage domain", Meaning: "The target's data center has a newer storage format and would convert the domain. The primary site may not be able to read it any more, and that cannot be undone.", Remedy: "Attach it to a data center of its format, or upgrade the primary site first."},
	{Name: "storage-format-newer", Title: "A storage domain is too new for a data center", Meaning: "The target's data center cannot read its storage format.", Remedy: "Upgrade that data center first."},
}
