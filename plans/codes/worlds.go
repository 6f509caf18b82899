package codes

var worldCodes = []Code{
	{Name: "no-world", Title: "The file returns no world", Meaning: "A lab starts from the world that the file returns.", Remedy: "End the file with return lab.world { … }.", In: InWorld,
		Wrong: "local lab = require \"lab\"\nprint(lab.id \"x\")", Right: "local lab = require \"lab\"\nreturn lab.world { sites = { { name = \"primary\" }, { name = \"secondary\" } } }"},
	{Name: "missing-site", Title: "A world lacks a site", Meaning: "A lab serves exactly the sites primary and secondary.", Remedy: "Add the other one; it may be empty.", In: InWorld,
		Wrong: "local lab = require \"lab\"\nreturn lab.world { sites = { { name = \"primary\" } } }", Right: "local lab = require \"lab\"\nreturn lab.world { sites = { { name = \"primary\" }, { name = \"secondary\" } } }"},
	{Name: "unknown-site", Title: "A world has a site of another name", Meaning: "A lab serves exactly the sites primary and secondary.", Remedy: "Name it so, or remove it.", In: InWorld,
		Wrong: "local lab = require \"lab\"\nreturn lab.world { sites = { { name = \"primary\" }, { name = \"secondary\" }, { name = \"third\" } } }", Right: "local lab = require \"lab\"\nreturn lab.world { sites = { { name = \"primary\" }, { name = \"secondary\" } } }"},
	{Name: "unknown-name", Title: "A world refers to something that it has not", Meaning: "A cluster, network, export or another object is named that is in no list of the world.", Remedy: "Correct the name, or add the object.", In: InWorld,
		Wrong: "local lab = require \"lab\"\nreturn lab.world {\n  sites = { { name = \"primary\", data_centers = { { name = \"Main\" } }, clusters = { { name = \"Prod\" } }, hosts = { { name = \"host1\", cluster = \"Prd\" } } }, { name = \"secondary\" } },\n}", Right: "local lab = require \"lab\"\nreturn lab.world {\n  sites = { { name = \"primary\", data_centers = { { name = \"Main\" } }, clusters = { { name = \"Prod\" } }, hosts = { { name = \"host1\", cluster = \"Prod\" } } }, { name = \"secondary\" } },\n}"},
	{Name: "ambiguous-name", Title: "A name in a world means several objects", Meaning: "Several objects have the name, and nothing says which one is meant.", Remedy: "Put what it belongs to in front, as in NETWORK/PROFILE, or give the id.", In: InWorld,
		Wrong: "local lab = require \"lab\"\nreturn lab.world {\n  sites = { { name = \"primary\", data_centers = { { name = \"East\" }, { name = \"West\" } }, networks = { { name = \"lan\", data_center = \"East\", id = lab.id \"a\" }, { name = \"lan\", data_center = \"West\", id = lab.id \"b\" } },\n    vnic_profiles = { { name = \"lan\", network = \"lan\" } } }, { name = \"secondary\" } },\n}", Right: "local lab = require \"lab\"\nreturn lab.world {\n  sites = { { name = \"primary\", data_centers = { { name = \"East\" }, { name = \"West\" } }, networks = { { name = \"lan\", data_center = \"East\", id = lab.id \"a\" }, { name = \"lan\", data_center = \"West\", id = lab.id \"b\" } },\n    vnic_profiles = { { name = \"lan\", network = \"East/lan\" } } }, { name = \"secondary\" } },\n}"},
	{Name: "duplicate", Title: "A world has an object twice", Meaning: "A real engine refuses a second object of that name or id, so the lab has none either.", Remedy: "Give each a name or an id of its own.", In: InWorld,
		Wrong: "local lab = require \"lab\"\nreturn lab.world { sites = { { name = \"primary\", data_centers = { { name = \"Main\" }, { name = \"Main\" } } }, { name = \"secondary\" } } }", Right: "local lab = require \"lab\"\nreturn lab.world { sites = { { name = \"primary\", data_centers = { { name = \"Main\" }, { name = \"Test\" } } }, { name = \"secondary\" } } }"},
	{Name: "two-masters", Title: "A data center has two master storage domains", Meaning: "One storage domain of a data center is the master.", Remedy: "Keep master = true for one of them, or leave it out: the first one is the master then."},
	{Name: "other-data-center", Title: "Objects of a world are in different data centers", Meaning: "What belongs together must be in one data center, as at a real site: a VM and its storage, a NIC and its network.", Remedy: "Name an object of the same data center."},
	{Name: "other-cluster", Title: "Objects of a world are in different clusters", Meaning: "The members of an affinity group are in the cluster of the group.", Remedy: "Move the member to the cluster, or take it out of the group."},
	{Name: "bad-world", Title: "The lab refuses a world", Meaning: "The world is well written, and still nothing that a lab could start from; the message is the lab's.", Remedy: "Do what the message says."},
}

var runCodes = []Code{
	{Name: "read-only", Title: "What would change something was called where nothing may be changed", Meaning: "drrun eval and drrun console look at a plan and its sites. A call that changes an engine, or the world outside of the engines, or that asks for a decision which a run records, is refused before it does anything.", Remedy: "Use drrun console PLAN.lua --write, which makes changes as a run: with its locks, its evidence and its journal. In a plan such calls belong into a hook or a workflow."},
	{Name: "step-nesting", Title: "A step does what cannot be part of one", Meaning: "A step is recorded as a whole. A change of an engine, a parallel or a spawn inside of it would be repeated or lost when the run is resumed.", Remedy: "Move the call out of the function of ctx:step."},
	{Name: "bad-result", Title: "A result cannot be recorded", Meaning: "Steps and hooks return what the journal can keep: texts, numbers, true and false, lists and tables of those.", Remedy: "Return the id or the name of an object instead of the object."},
	{Name: "endless-loop", Title: "Code ran for too long without an end",
		Meaning: "One call of a function of yours, or the loading of a file, took a thousand million steps of the interpreter: half a minute or so of computing. It was stopped, and a run that it stopped can be resumed. Time that code waits in a call does not count.",
		Remedy:  "Look at the loop that the message points at. Code that waits for something does so by a call, such as ctx:wait_for or a boot condition."},
	{Name: "lua-memory", Title: "Code has used up the memory that it may have",
		Meaning: "Texts and tables that code keeps took more than a GiB. It was stopped before the system would have killed drrun, and a run that it stopped can be resumed.",
		Remedy:  "Keep what is needed only: a table or a text grows in a loop, near the place that the message names."},
	{Name: "text-too-long", Title: "A text would become too long", Meaning: "No text may be longer than 16 MiB. One that grows in a loop would take all memory in no time.",
		Remedy: "Write what is large into a file, by a program, and pass on its name.", In: Behind,
		Wrong: "local text = (\"x\"):rep(2^25)", Right: "local text = (\"x\"):rep(100)"},
	{Name: "too-many-tasks", Title: "Too many tasks run at once", Meaning: "Each task of ctx:spawn takes memory while it waits, and 10,000 are the most.",
		Remedy: "Use ctx:parallel, which starts the next item when one has ended, with limit = where the other end takes only so many."},
}
