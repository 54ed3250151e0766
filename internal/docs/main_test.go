package docs_test

import (
	"os"
	"testing"

	"salesforcesync/internal/store/storetest"
)

func TestMain(m *testing.M) { os.Exit(storetest.Main(m)) }
