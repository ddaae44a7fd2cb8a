package sandbox

import (
	"os"
	"testing"
)

// roleVariable makes the test binary act as something else than the tests.
const roleVariable = "SANDBOX_TEST_ROLE"

// TestMain makes the test binary several programs in one: the tests, a gateway
// that restricts, and the program that is restricted.
func TestMain(m *testing.M) {
	Main()
	if act, ok := roles()[os.Getenv(roleVariable)]; ok {
		act()
		os.Exit(0)
	}
	os.Exit(m.Run())
}
