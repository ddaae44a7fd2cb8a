// Package sandbox starts a program that may touch little more than its own
// files. A Policy says what: Policy.Start runs the current executable once more,
// which restricts itself in Main and then becomes the program, under the same
// process id. What is taken away stays away, from the children of the program
// too.
//
// On Linux that is: files outside the policy (Landlock), signals and abstract
// sockets beyond the sandbox, tracing other processes, gaining privileges,
// inherited descriptors, and the system's memory. The network is not restricted,
// and neither is what Landlock does not know: docs/adr/0005-sandbox.md says what
// that leaves. On other systems nothing is restricted.
package sandbox
