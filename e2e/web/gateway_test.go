package web

func removeBuilt() {}
