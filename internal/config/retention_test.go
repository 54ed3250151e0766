package config_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"salesforcesync/internal/config"
)

// What ends for comments is said apart from what ends for raw copies.
func TestCommentRetention(t *testing.T) {
	t.Parallel()
	i, err := read(connection + "comment_retention: 1095d\nraw_retention: 90d\n")
	require.NoError(t, err)
	require.EqualValues(t, 1095, i.CommentRetention)
	require.EqualValues(t, 90, i.RawRetention)
	data, err := i.MarshalSpec()
	require.NoError(t, err)
	require.Contains(t, string(data), `"comment_retention":"1095d"`, "the database reads it as an interval")
	kept := i
	kept.CommentRetention = config.RetentionForever
	require.Equal(t, []config.Change{{Path: "comment_retention", Old: "1095d", New: "forever"}}, config.Diff(i, kept))
	_, err = read(connection + "comment_retention: 3y\n")
	require.ErrorContains(t, err, "line 5: comment_retention: ")
	require.True(t, config.RetentionForever.Longer(5))
	require.True(t, config.Retention(6).Longer(5))
	require.False(t, config.Retention(5).Longer(5))
	require.False(t, config.Retention(5).Longer(config.RetentionForever))
	require.False(t, config.RetentionForever.Longer(config.RetentionForever))
}

func TestRawRetention(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]config.Retention{"1d": 1, "90d": 90, "3660d": 3660, "forever": config.RetentionForever, `"7d"`: 7} {
		i, err := read(connection + "raw_retention: " + text + "\n")
		require.NoError(t, err, text)
		require.Equal(t, want, i.RawRetention)
		data, err := i.MarshalSpec()
		require.NoError(t, err)
		var again config.Integration
		require.NoError(t, json.Unmarshal(data, &again))
		require.Equal(t, want, again.RawRetention)
		require.Empty(t, config.Diff(i, again))
	}
	for _, text := range []string{"0d", "-1d", "3661d", "90", "90 days", "12h", "never", "[1d]", "99999999999999999999d"} {
		_, err := read(connection + "raw_retention: " + text + "\n")
		require.ErrorContains(t, err, "line 5: raw_retention: ", text)
	}
	kept, err := read(connection)
	require.NoError(t, err)
	require.Equal(t, config.RetentionForever, kept.RawRetention, "nothing is removed that nobody asked for")
	data, err := kept.MarshalSpec()
	require.NoError(t, err)
	require.NotContains(t, string(data), "retention", "older releases read what is stored")
	kept.RawRetention = 90
	short, err := read(connection)
	require.NoError(t, err)
	require.Equal(t, []config.Change{{Path: "raw_retention", Old: "forever", New: "90d"}}, config.Diff(short, kept))

	_, ends := config.RetentionForever.Before(time.Now())
	require.False(t, ends)
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	before, ends := config.Retention(2).Before(noon)
	require.True(t, ends)
	require.Equal(t, time.Date(2026, 2, 27, 12, 0, 0, 0, time.UTC), before)
}
