console.log("edgetcd: not yet")
