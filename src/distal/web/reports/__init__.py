"""Reports that need no server: pages that a verb writes and a browser opens from disk; knows results, no option."""
