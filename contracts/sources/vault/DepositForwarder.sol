// SPDX-License-Identifier: Apache-2.0
pragma solidity 0.8.37;

import {Assets} from "./Assets.sol";
import {CloneCode} from "./CloneCode.sol";

/// @notice A deposit address of one omnibus client. Everything goes to the one vault that its own address names.
/// @dev The implementation; forwarders are clones of it (`CloneCode`), so ETH arrives with 2,300 gas. Deposits count when
/// they are final here, so when it is flushed matters to nobody.
contract DepositForwarder {
    address private immutable factory;
    bytes32 private immutable initCodeHash;

    event Flushed(address indexed vault, address indexed token, uint256 amount);

    /// This is not the forwarder of that vault and salt.
    error WrongForwarder(address vault, bytes32 salt);

    constructor() {
        factory = msg.sender;
        initCodeHash = keccak256(CloneCode.initCode(address(this)));
    }

    /// @notice Sends the whole balance of a token (zero: ETH) to the vault. Anybody may.
    function flush(address vault, bytes32 salt, address token) external {
        bytes32 cloneSalt = keccak256(abi.encode(vault, salt));
        require(
            CloneCode.addressOf(factory, cloneSalt, initCodeHash) == address(this), WrongForwarder(vault, salt)
        );
        uint256 amount = Assets.balanceOf(token, address(this));
        // Nothing to do is no failure, so that one empty forwarder does not hold up the others.
        if (amount == 0) return;
        emit Flushed(vault, token, amount);
        Assets.send(token, vault, amount);
    }
}
