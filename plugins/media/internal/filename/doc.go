// Package filename decides which file names are accepted from other devices
// and under which name a file is kept on disk. It touches no file system: that
// a name is free is for the caller to find out.
package filename
