# Words in which the stages say when they apply: a pod or a node is the input.
def marks: (.metadata.annotations // {}) + (.metadata.labels // {});
def mark($name): marks["localcluster/" + $name];
def marked($name): mark($name) == "true";
def seconds($text): ($text | rtrimstr("s") | tonumber);
def condition($type): (first(.status.conditions[]? | select(.type == $type) | .status) // "");
def deleted: .metadata.deletionTimestamp != null;
def stuck: marked("stuck-terminating");
def active: (deleted | not) and (.status.phase == "Pending" or .status.phase == "Running");
def accepted: (.status.containerStatuses // []) != [];
def running: [.status.containerStatuses[]? | select(.state.running)] | length;
def started: running == (.spec.containers | length);
def held: marked("never-ready") or marked("crash");
def images: [.[] | {name, image}] | sort_by(.name);
def replaced: (.spec.containers | images) != (.status.containerStatuses | images);
def containers_ready: accepted and all(.status.containerStatuses[]; .ready);
def gates_open: ([.spec.readinessGates[]?.conditionType]
  - [.status.conditions[]? | select(.status == "True") | .type]) == [];
def conditions_right:
  (condition("Initialized") == "True")
  and ((condition("ContainersReady") == "True") == containers_ready)
  and ((condition("Ready") == "True") == (containers_ready and gates_open))
  and condition("ContainersReady") != "" and condition("Ready") != "";
