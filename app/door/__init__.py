"""What `import app` offers to notebooks: the stages in a process that is somebody else's."""
